/** What a run says while it works: the same records in the worker's messages, in the run's log and in the shell. */

export type RowName = "untouched" | "seeds_only" | "direct" | "psi";
export type Stage = "principles" | "warm_up" | "generate" | "train" | "evaluate";

/** All from 0 to 1; `low` and `high` are the 95 % interval of the accuracy on `n` test rows. */
export interface Metrics {
  accuracy: number;
  macro_f1: number;
  low: number;
  high: number;
  n: number;
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
  recipe: "psi";
  rows: Partial<Record<RowName, Metrics>>;
  instances: { generated: number; accepted: number; refused: Record<string, number> };
  teacher: { kind: "offline" | "recorded" | "api"; requests: number; bytes: number };
  seconds: Record<string, number>;
}

export interface RunStarted {
  type: "run_started";
  task: string;
  model: string;
  device: string;
  seed: number;
  recipe: "psi";
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
  unit: "rows" | "steps" | "instances" | "principles";
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
  reason: "kept" | "no_gain" | "redundant" | "no_room";
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

export interface RowFinished {
  type: "row_finished";
  row: RowName;
  metrics: Metrics;
  /** Counts as `[gold][predicted]`. */
  confusion: number[][];
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
  | RowFinished
  | Finished;

/** Something that the engine computed, for the log alone: an interrupted run goes on from it. */
export interface Kept {
  type: "kept";
}
