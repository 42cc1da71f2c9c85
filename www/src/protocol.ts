/** The language of page and worker: one union for requests, one for messages. */
import type { Report, RowName, RunEvent } from "./events";

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
}

export interface RunOptions {
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
  run: { input: { folder: string; settings: string; files: TaskFiles; options: RunOptions; model: string }; output: Report };
  /** Goes on with a stored run where it ended. */
  resume: { input: { run: string }; output: Report };
  stop: { input: Record<never, never>; output: null };
  predict: { input: { text: string }; output: BeforeAfter };
  adapter: { input: Record<never, never>; output: AdapterFiles };
  instances: { input: Record<never, never>; output: string };
  kept: { input: Record<never, never>; output: Kept };
  stored: { input: { run: string }; output: StoredFiles };
  keepEdits: { input: { run: string; edits: string }; output: null };
  /** Deletes one run, or all of them for `null`. */
  forget: { input: { run: string | null }; output: Kept };
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
  | { type: "event"; event: RunEvent };
