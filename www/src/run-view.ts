/** What the page knows of a run: everything it shows is read off the events. */
import type { DpoStep, InstanceWritten, Metrics, Preferred, Principle, QuotasSet, Report, Reviewed, RoundReport, RowName, RunEvent, RunStarted, Sample, Stage, TestRow, TrainStep, Verdict, WeaknessFound } from "#seedbed/events";
import type { ChosenModel } from "#seedbed/protocol";
import type { Edits } from "./instances/edits";
import { type Fate, follow } from "./principles/fates";

export type Phase = "idle" | "loading" | "running" | "stopping" | "stopped" | "finished" | "failed";

/** What a training step belongs to: a row, or the warm-up before them. */
export type Trained = Exclude<RowName, "untouched"> | "warm_up";

export function trainedBy(step: TrainStep | DpoStep | Sample): Trained {
  return step.row === null || step.row === "untouched" ? "warm_up" : step.row;
}

export interface StageNow {
  stage: Stage;
  row: RowName | null;
  done: number;
  total: number;
}

export interface RowResult {
  metrics: Metrics;
  confusion: number[][];
  /** What each test row was taken for; runs of earlier versions do not say. */
  predicted: number[];
  answers: string[];
}

/** What is known of one round of a recipe that has rounds. */
export interface Round {
  round: number;
  report: RoundReport | null;
  weakness: WeaknessFound["card"] | null;
  quotas: Pick<QuotasSet, "hard" | "easy"> | null;
  reviews: Reviewed[];
  preferences: Preferred[];
}

export interface RunView {
  /** Grows by one with each run, so that a place knows when to start afresh. */
  run: number;
  /** A run out of a file, or out of this browser's storage, was not made by this tab's engine. */
  source: "engine" | "file" | "storage";
  /** Its name in this browser's storage, where it has one. */
  id: string | null;
  /** The model that it was begun with, where that is known: a file of a run has its name only. */
  model: ChosenModel | null;
  phase: Phase;
  /** All that was said but how far it is, so that the run can be saved. */
  log: RunEvent[];
  loading: { done: number; total: number | null } | null;
  started: RunStarted | null;
  stage: StageNow | null;
  /** How often each stage has come to its end; some come once for each row. */
  stagesDone: Partial<Record<Stage, number>>;
  overall: number;
  secondsLeft: number | null;
  principles: Principle[];
  /** What the seeds made of them, by id. */
  verdicts: Map<string, Verdict>;
  instances: InstanceWritten[];
  /** What the visitor changed in the instances, and how often. */
  edits: Edits;
  editCount: number;
  steps: Partial<Record<Trained, TrainStep[]>>;
  /** Steps of preference training. */
  preferences: Partial<Record<Trained, DpoStep[]>>;
  lastStep: TrainStep | DpoStep | null;
  /** The rows that measure, in the order of `predicted`. */
  tested: TestRow[];
  /** What the students made of the text that is watched. */
  samples: Sample[];
  rounds: Round[];
  /** The round that is under way, from 1; 0 before the first, and where a recipe has none. */
  round: number;
  /** What became of the principles from round to round. */
  fates: Fate[];
  /** What the engine had to say meanwhile. */
  notes: string[];
  rows: Partial<Record<RowName, RowResult>>;
  report: Report | null;
  error: string | null;
}

export function emptyRun(run: number): RunView {
  return {
    run,
    source: "engine",
    id: null,
    model: null,
    phase: "idle",
    log: [],
    loading: null,
    started: null,
    stage: null,
    stagesDone: {},
    overall: 0,
    secondsLeft: null,
    principles: [],
    verdicts: new Map(),
    instances: [],
    edits: new Map(),
    editCount: 0,
    steps: {},
    preferences: {},
    lastStep: null,
    tested: [],
    samples: [],
    rounds: [],
    round: 0,
    fates: [],
    notes: [],
    rows: {},
    report: null,
    error: null,
  };
}

/** Takes one event into the view. */
export function take(view: RunView, event: RunEvent): void {
  if (event.type !== "progress") {
    view.log.push(event);
  }
  switch (event.type) {
    case "run_started":
      view.started = event;
      view.loading = null;
      if (view.phase === "loading") {
        view.phase = "running";
      }
      return;
    case "stage_started":
      view.stage = { stage: event.stage, row: event.row, done: 0, total: event.total };
      return;
    case "progress":
      view.stage = { stage: event.stage, row: event.row, done: event.done, total: event.total };
      view.overall = Math.max(view.overall, event.overall);
      view.secondsLeft = event.seconds_left;
      return;
    case "stage_finished":
      view.stagesDone[event.stage] = (view.stagesDone[event.stage] ?? 0) + 1;
      return;
    case "principle":
      view.principles.push(event.principle);
      follow(view.fates, event.principle, Math.max(1, view.round));
      return;
    case "verdict":
      view.verdicts.set(event.verdict.id, event.verdict);
      return;
    case "instance":
      view.instances.push(event);
      return;
    case "review":
      roundOf(view, event.round).reviews.push(event);
      return;
    case "preference":
      roundOf(view, event.round).preferences.push(event);
      return;
    case "weakness":
      roundOf(view, event.round).weakness = event.card;
      return;
    case "quotas":
      roundOf(view, event.round).quotas = { hard: event.hard, easy: event.easy };
      return;
    case "round_finished":
      roundOf(view, event.report.round).report = event.report;
      view.round = event.report.round + 1;
      return;
    case "tested":
      view.tested = event.rows;
      return;
    case "sample":
      view.samples.push(event);
      return;
    case "note":
      view.notes.push(event.text);
      return;
    case "train_step":
      (view.steps[trainedBy(event)] ??= []).push(event);
      view.lastStep = event;
      return;
    case "dpo_step":
      (view.preferences[trainedBy(event)] ??= []).push(event);
      view.lastStep = event;
      return;
    case "row_finished":
      view.rows[event.row] = { metrics: event.metrics, confusion: event.confusion, predicted: event.predicted ?? [], answers: event.answers ?? [] };
      return;
    case "finished":
      view.report = event.report;
      // Only at the end it is known which round is the run's.
      for (const report of event.report.rounds ?? []) {
        roundOf(view, report.round).report = report;
      }
      view.overall = 1;
      view.secondsLeft = 0;
  }
}

function roundOf(view: RunView, round: number): Round {
  view.round = Math.max(view.round, round);
  const known = view.rounds.find((each) => each.round === round);
  if (known !== undefined) {
    return known;
  }
  const fresh: Round = { round, report: null, weakness: null, quotas: null, reviews: [], preferences: [] };
  view.rounds.push(fresh);
  return fresh;
}
