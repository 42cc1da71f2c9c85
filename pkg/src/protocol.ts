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

/** What a loaded model is. */
export interface ModelInfo {
  name: string;
  parameters: number;
  layers: number;
  /** Values in a hidden state: the width of what `embed` gives. */
  hidden: number;
  vocabulary: number;
  /** Tokens it reads at most. */
  context: number;
  bytes: number;
}

/** The addresses of a model's three files. */
export interface ModelFiles {
  name: string;
  config: string;
  tokenizer: string;
  weights: string;
}

/** How to write behind a prompt. */
export interface GenerateOptions {
  /** Texts, 1 to 4096; 1 unless told. */
  n?: number;
  /** New tokens of a text at most; 64 unless told. */
  max_tokens?: number;
  /** Scores are divided by it before a token is drawn; 0 always takes the best. 0.8 unless told. */
  temperature?: number;
  /** Draws among the best so many tokens only; 0, the default, among all. */
  top_k?: number;
  /** Draws among the best tokens that together have this probability; 0.95 unless told. */
  top_p?: number;
  /** Seed of the draws; 1 unless told. */
  seed?: number;
}

/** Where texts lie in the student's own space: `width` values a text, one after the other. */
export interface Embeddings {
  width: number;
  values: Float32Array;
}

export interface RunOptions {
  recipe?: "psi" | "lance" | "evokd";
  /** Recorded principles, a JSON object a line, in place of the offline writer's. */
  principles?: string;
  learning_rate?: number;
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
  /** Loads a model from the addresses of its files. */
  load: { input: { files: ModelFiles }; output: ModelInfo };
  /** `folder`: where the run is stored, `null` for nowhere. `model`: a bundled one by its name, `null` for the one that is loaded. */
  run: { input: { folder: string | null; settings: string; files: TaskFiles; options: RunOptions; model: string | null }; output: Report };
  /** Gives up a call that is under way, by its number. */
  abort: { input: { request: number }; output: null };
  stop: { input: Record<never, never>; output: null };
  predict: { input: { text: string }; output: BeforeAfter };
  generate: { input: { prompt: string; options: GenerateOptions }; output: string[] };
  embed: { input: { texts: string[] }; output: Embeddings };
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
