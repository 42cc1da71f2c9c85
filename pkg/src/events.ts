/** What a run says while it works: the same records in the worker's messages, in the run's log and in the shell. */

export type RowName =
  | "untouched"
  | "seeds_only"
  | "all_seeds"
  | "round_zero"
  | "direct"
  | "own_principles"
  | "recorded"
  | "psi"
  | "lance"
  | "static"
  | "evokd";
export type Stage = "principles" | "warm_up" | "generate" | "review" | "analyse" | "train" | "prefer" | "evaluate";
export type Recipe = "psi" | "lance" | "evokd";

/** What an answer is: one of a few labels; the entities in a text; words; a free response to an instruction. */
export type TaskKind = "classification" | "ner" | "qa" | "instruct";

/**
 * All from 0 to 1; `low` and `high` are the 95 % interval of the accuracy on `n` test rows. Of entities, accuracy is the share of
 * texts with exactly the right ones and `f1` that of entities; of questions, the share answered rightly and `f1` that of words.
 * Free responses have no right one to match: `loss` is the mean negative log-likelihood of a token of the one that is there.
 */
export interface Metrics {
  accuracy: number;
  macro_f1: number;
  low: number;
  high: number;
  n: number;
  f1?: number;
  f1_low?: number;
  f1_high?: number;
  precision?: number;
  recall?: number;
  loss?: number;
  loss_low?: number;
  loss_high?: number;
  /** e to the power of the loss. */
  perplexity?: number;
  /** A judge's mean mark of what was written, 0 to 10 (LANCE). */
  score?: number;
  score_low?: number;
  score_high?: number;
}

/** A part of a text with its type; places count characters (Unicode scalars), `end` is the first after it. */
export interface Entity {
  start: number;
  end: number;
  label: string;
  text?: string;
}

export interface Principle {
  id: string;
  level: "task" | "label" | "instance";
  label?: string | null;
  attribute?: string | null;
  values?: string[];
  text: string;
  polarity: "do" | "avoid";
  support: number;
}

export interface Report {
  task: string;
  model: string;
  device: string;
  seed: number;
  recipe: Recipe;
  rows: Partial<Record<RowName, Metrics>>;
  instances: InstanceCounts;
  /** The same for each row that had instances. */
  instances_by_row?: Partial<Record<RowName, InstanceCounts>>;
  /** Parts of the recipe that were switched off. */
  ablations?: string[];
  /** What each round did, of the recipes that have rounds. */
  rounds?: RoundReport[];
  /** Tokens read and written to write, label and review instances. */
  tokens?: { read: number; written: number };
  teacher: { kind: "offline" | "recorded" | "api"; requests: number; bytes: number };
  seconds: Record<string, number>;
}

export interface InstanceCounts {
  generated: number;
  accepted: number;
  /** By reason. */
  refused: Record<string, number>;
}

export interface RunStarted {
  type: "run_started";
  task: string;
  model: string;
  device: string;
  seed: number;
  recipe: Recipe;
  /** `classification` where it is not said. */
  kind?: TaskKind;
  /** The labels; of entities their types, and `no entity`; of open questions the forms of answers. */
  labels: string[];
  seeds: number;
  test: number;
  warnings: string[];
  /** Bytes the run takes of the device at most, by part; runs of earlier versions do not say. */
  memory?: MemoryNeeded | null;
}

export interface MemoryNeeded {
  weights: number;
  adapter: number;
  moments: number;
  gradients: number;
  activations: number;
  layer_inputs: number;
  workspace: number;
  kv: number;
  reading: number;
  total: number;
}

export interface StageStarted {
  type: "stage_started";
  stage: Stage;
  row: RowName | null;
  total: number;
  unit: "rows" | "steps" | "instances" | "principles" | "answers";
}

export interface Progress {
  type: "progress";
  stage: Stage;
  row: RowName | null;
  done: number;
  total: number;
  seconds_left: number | null;
  /** Part of the whole run that is done, 0 to 1. */
  overall: number;
}

export interface StageFinished {
  type: "stage_finished";
  stage: Stage;
  row: RowName | null;
  seconds: number;
}

export interface PrincipleWritten {
  type: "principle";
  principle: Principle;
}

/** What became of a principle when the seeds voted on it. */
export interface Verdict {
  /** The principle's. */
  id: string;
  reason: "kept" | "trusted" | "no_gain" | "redundant" | "no_room";
  /** Seeds that vote for it. */
  votes: number;
  /** By how much it raises the log-likelihood of all seeds together, in nats. */
  gain: number;
}

export interface PrincipleJudged {
  type: "verdict";
  verdict: Verdict;
}

export interface InstanceWritten {
  type: "instance";
  row: RowName;
  index: number;
  label: string;
  text: string;
  accepted: boolean;
  /** Why it was refused, in words. */
  reason: string | null;
  /** The word the refusal is counted under. */
  refusal?: string | null;
  /** Ids of the principles it was written from. */
  principles: string[];
  /** The round it was written in, from 1. */
  round?: number;
  /** The model that wrote it. */
  model?: string;
  /** Seed of the generator of its batch. */
  seed?: number;
  /** The answer in words, where that is more than a label. */
  answer?: string;
  entities?: Entity[];
  /** The passage that a question is about. */
  context?: string;
  /** How probable the reader found the label of a kept one, or how far two answers to it agreed, 0 to 1. */
  agreement?: number;
}

export interface TrainStep {
  type: "train_step";
  /** `null` while the writer is warmed up, which belongs to no row. */
  row: RowName | null;
  step: number;
  total: number;
  loss: number;
  learning_rate: number;
  grad_norm: number;
  num_tokens: number;
}

/** A step of preference training; rewards as in TRL, `β` times how much likelier an answer has become. */
export interface DpoStep {
  type: "dpo_step";
  row: RowName | null;
  step: number;
  total: number;
  loss: number;
  learning_rate: number;
  grad_norm: number;
  rewards_chosen: number;
  rewards_rejected: number;
  /** Share of pairs whose better answer has the higher reward. */
  rewards_accuracies: number;
  rewards_margins: number;
}

/** An answer was reviewed (LANCE). */
export interface Reviewed {
  type: "review";
  row: RowName;
  round: number;
  text: string;
  answer: string;
  /** 0 to 10. */
  score: number;
  origin: "seed" | "contrast" | "new";
}

/** Of two answers the better one is to become likelier (LANCE). */
export interface Preferred {
  type: "preference";
  row: RowName;
  round: number;
  text: string;
  /** The passage it is about. */
  context?: string;
  chosen: string;
  rejected: string;
  scores: [number, number];
}

/** What the student gets wrong, in counts (EvoKD). */
export interface WeaknessFound {
  type: "weakness";
  row: RowName;
  round: number;
  card: Record<string, unknown>;
}

/** How many instances of each label a round is to write, in the order of the labels (EvoKD). */
export interface QuotasSet {
  type: "quotas";
  row: RowName;
  round: number;
  hard: number[];
  easy: number[];
}

export interface RoundReport {
  row: RowName;
  /** From 1; 0 is the start. */
  round: number;
  generated: number;
  accepted: number;
  accepted_by_label: number[];
  rows: number;
  pairs: number;
  tokens: { read: number; written: number };
  /** On rows held out of the seeds (LANCE) or the fresh batch (EvoKD), never on the test rows. */
  dev: Metrics | null;
  f1_by_label: number[];
  chosen: boolean;
}

export interface RoundFinished {
  type: "round_finished";
  report: RoundReport;
}

/** A brief passed the guard and is sent to the teacher. */
export interface BriefSent {
  type: "brief";
  text: string;
  destination: string;
  epsilon: number;
}

/** Something that a person should know; the run goes on. */
export interface Note {
  type: "note";
  text: string;
}

export interface TestRow {
  text: string;
  /** Its label, or the group of its answer, by its place among the labels. */
  label: number;
  /** The answer in words, where that is no label. */
  answer?: string;
}

/** The rows that will measure, once, in the order in which they are measured. */
export interface Tested {
  type: "tested";
  rows: TestRow[];
}

/** What the student makes of a text that is watched, as its training goes. */
export interface Sample {
  type: "sample";
  /** `null` in the warm-up. */
  row: RowName | null;
  /** After so many steps; 0 is before the first. */
  step: number;
  total: number;
  text: string;
  label: string;
  /** `null` where answers are written. */
  probability: number | null;
  answer?: string;
}

export interface RowFinished {
  type: "row_finished";
  row: RowName;
  metrics: Metrics;
  /** Counts as `[gold][predicted]`. */
  confusion: number[][];
  /** What each test row was taken for, by its place among the labels. */
  predicted?: number[];
  /** The answers in words, where they are no labels. */
  answers?: string[];
}

export interface Finished {
  type: "finished";
  report: Report;
}

export type RunEvent =
  | RunStarted
  | StageStarted
  | Progress
  | StageFinished
  | PrincipleWritten
  | PrincipleJudged
  | InstanceWritten
  | TrainStep
  | DpoStep
  | Reviewed
  | Preferred
  | WeaknessFound
  | QuotasSet
  | RoundFinished
  | BriefSent
  | Note
  | Tested
  | Sample
  | RowFinished
  | Finished;

/** Something that the engine computed, for the log alone: an interrupted run goes on from it. */
export interface Kept {
  type: "kept";
}
