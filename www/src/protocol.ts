/** The language of page and worker: one union for requests, one for messages. */
import type { Brief } from "./boundary/state";
import type { Principle, Report, RowName, RunEvent } from "./events";
import type { Dtype, LookedUp, ModelPlan, Said, Shelf, StoredModel } from "./models/types";

export type DeviceChoice = "auto" | "webgpu" | "cpu";

/** A task as three texts, in the layout of a task folder. Without test rows the engine holds a part of the seeds out. */
export interface TaskFiles {
  task: string;
  seeds: string;
  test?: string;
}

export interface TaskSummary {
  name: string;
  instruction: string;
  labels: string[];
  seeds: number;
  test: number;
  per_label: Record<string, number>;
  warnings: string[];
  /** Of all seeds; tokens by estimate. */
  seed_bytes: number;
  seed_tokens: number;
}

export interface PrincipleSet {
  version: 1;
  task: string;
  principles: Principle[];
}

/** Who is asked, and with what. The key is the door's own affair. */
export interface AskOptions {
  teacher: { url: string; model: string };
  epsilon: number;
  total: number;
  own_words_confirmed: boolean;
}

export interface TeacherAnswer {
  principles: PrincipleSet;
  warnings: string[];
  tokens_in: number;
  tokens_out: number;
  estimated: boolean;
}

export interface RunOptions {
  /** Principles as JSON text, to run by. */
  principles?: string;
  teacher?: AskOptions["teacher"];
  epsilon?: number;
  tell_weakness?: boolean;
  own_words_confirmed?: boolean;
  instances?: number;
  rounds?: number;
  seed?: number;
  test_limit?: number;
  seeds_per_label?: number;
  epochs?: number;
  rows?: RowName[];
}

export interface Prediction {
  label: string;
  probabilities: Record<string, number>;
}

export interface BeforeAfter {
  before: Prediction;
  after: Prediction | null;
}

export interface OpenedEngine {
  device: "webgpu" | "cpu";
  name: string;
  /** What a person should know about the choice of the device, if anything. */
  notice: string | null;
}

export interface AdapterFiles {
  config: string;
  weights: Uint8Array;
}

/** A run in this browser's own storage. */
export interface StoredRun {
  /** The time it began, as a name for a folder. */
  id: string;
  bytes: number;
  /** As in the page's address. */
  settings: string;
  /** Where it ended before its end: by the visitor's Stop, or because its tab was closed or reloaded. */
  unfinished: "stopped" | "interrupted" | null;
}

/** What earlier runs take of this browser's own storage; the newest first. */
export interface Kept {
  runs: StoredRun[];
  bytes: number;
}

/** A stored run's files, as far as there are any. */
export interface StoredFiles {
  settings: string;
  /** One event in JSON on each line; the last may be cut short. */
  events: string;
  ledger: string | null;
  answers: string | null;
  edits: string | null;
  seeds: string;
  test: string | null;
  task: string;
  adapter: AdapterFiles | null;
}

/** Every call of the worker: what it is given, and what it answers. */
export interface Calls {
  open: { input: { base: string; device: DeviceChoice }; output: OpenedEngine };
  check: { input: { files: TaskFiles }; output: TaskSummary };
  run: { input: { folder: string; settings: string; files: TaskFiles; options: RunOptions } & ChosenModel; output: Report };
  /** Goes on with a stored run where it ended. */
  resume: { input: { run: string }; output: Report };
  stop: { input: Record<never, never>; output: null };
  /** Draws the brief; the next question sends it as it stands. */
  drawBrief: { input: { files: TaskFiles; options: AskOptions }; output: Brief };
  askTeacher: { input: { files: TaskFiles; options: AskOptions }; output: TeacherAnswer };
  stopAsking: { input: Record<never, never>; output: null };
  /** Checks principles, or writes those of the offline teacher for `null`. */
  checkPrinciples: { input: { files: TaskFiles; text: string | null; options: RunOptions }; output: { principles: PrincipleSet; warnings: string[] } };
  ledger: { input: Record<never, never>; output: string | null };
  setLedger: { input: { ledger: string }; output: null };
  predict: { input: { text: string }; output: BeforeAfter };
  adapter: { input: Record<never, never>; output: AdapterFiles };
  instances: { input: Record<never, never>; output: string };
  kept: { input: Record<never, never>; output: Kept };
  stored: { input: { run: string }; output: StoredFiles };
  keepEdits: { input: { run: string; edits: string }; output: null };
  /** Deletes one run, or all of them for `null`. */
  forget: { input: { run: string | null }; output: Kept };
  shelf: { input: Record<never, never>; output: Shelf };
  /** What the visitor's files are; nothing is copied yet. */
  planOfFiles: { input: { files: File[] }; output: ModelPlan };
  /** Asks the hub what a repository holds; `file` chooses among several GGUF files. */
  lookUp: { input: { repository: string; file: string | null }; output: LookedUp };
  /** Fetches or copies what was planned, or goes on with what was begun. */
  keepModel: { input: { plan: string }; output: StoredModel };
  stopKeeping: { input: Record<never, never>; output: null };
  forgetModel: { input: { model: string }; output: Shelf };
  say: { input: { text: string; limit: number } & ChosenModel; output: Said };
}

export interface ChosenModel {
  /** The id of a kept model, or the name of a bundled one. */
  model: string;
  dtype: Dtype;
}

export type CallName = keyof Calls;

/** From the page to the worker. */
export type Request = { [K in CallName]: { call: K; id: number } & Calls[K]["input"] }[CallName];

/** An error that crosses the border: a code for the page, one line for the person. */
export interface Failure {
  code: string;
  message: string;
}

/** From the worker to the page. */
export type Message =
  | { type: "answer"; id: number; output: Calls[CallName]["output"] }
  | { type: "failure"; id: number; failure: Failure }
  | { type: "loading"; part: string; done: number; total: number | null }
  | { type: "notice"; code: string; message: string }
  /** The engine's device is gone, and no run was under way. */
  | { type: "lost"; message: string }
  /** A model on its way into the tab. */
  | { type: "keeping"; done: number; total: number }
  /** A request to the model hub has left the tab. */
  | { type: "asked"; url: string }
  | { type: "event"; event: RunEvent }
  /** The engine wants to send `body` to `url`; the answer goes to the port. */
  | { type: "knock"; url: string; body: string; port: MessagePort }
  /** A file of a model has arrived. */
  | { type: "downloaded"; url: string; bytes: number };
