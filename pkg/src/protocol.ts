/** The language of page and worker: one union for requests, one for messages. */
import type { Entity, Principle, Report, RowName, RunEvent, TaskKind } from "./events";
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
  kind?: TaskKind;
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

/** A line for the visitor, with the words it is about. */
export interface Told {
  message: string;
  span: string;
}

/** A brief as it would be sent. */
export interface Brief {
  text: string;
  destination: string;
  /** The body of the request; nothing where the guard refuses it. */
  body: string | null;
  tokens: number;
  epsilon: number;
  spent: number;
  total: number;
  /** The families of descriptors that are told, each with the number of its bins. */
  told: [string, number][];
  warnings: Told[];
  refusal: (Told & { confirmable: boolean }) | null;
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
  /** Of the matrices on the device. */
  bytes: number;
  /** Memory that the engine has taken from the browser by now, in bytes. */
  heap: number;
  /** Its chat template is not known, so that turns stand in a frame that may be foreign to it. */
  unknown_frame: boolean;
}

/** The addresses of a model's three files. */
export interface ModelFiles {
  name: string;
  config: string;
  tokenizer: string;
  weights: string;
}

/** Where a model is loaded from. One of the hub is kept in this browser's storage; files are only read. */
export type LoadSource =
  | { kind: "addresses"; files: ModelFiles }
  | { kind: "files"; files: File[] }
  | { kind: "hub"; repository: string; file: string | null };

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
  /** Principles to run by: a set as JSON text, or recorded ones, a JSON object a line. */
  principles?: string;
  teacher?: AskOptions["teacher"];
  epsilon?: number;
  tell_weakness?: boolean;
  own_words_confirmed?: boolean;
  learning_rate?: number;
  instances?: number;
  rounds?: number;
  seed?: number;
  test_limit?: number;
  seeds_per_label?: number;
  epochs?: number;
  rows?: RowName[];
  /** Texts that the student answers as it learns, to be seen; a run is the same without them. */
  watch?: string[];
  /** Parts of the recipe that are switched off. */
  ablations?: string[];
  /** Any other knob of the recipe, by its name. */
  [knob: string]: unknown;
}

export interface Prediction {
  /** Of entities and open questions: the group that the answer is of. */
  label: string;
  /** Of each label; empty for entities and open questions. */
  probabilities: Record<string, number>;
  /** The answer in words, where that is more than a label. */
  answer?: string;
  entities?: Entity[];
}

export interface BeforeAfter {
  before: Prediction;
  after: Prediction | null;
}

export interface OpenedEngine {
  device: "webgpu" | "cpu";
  name: string;
  /** Threads that compute on the CPU; 1 on WebGPU. */
  threads: number;
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
  /** The model it was begun with; `null` where an earlier version of the page kept none. */
  model: ChosenModel | null;
  adapter: AdapterFiles | null;
}

/** Every call of the worker: what it is given, and what it answers. */
export interface Calls {
  open: { input: { base: string; device: DeviceChoice; threads?: number }; output: OpenedEngine };
  check: { input: { files: TaskFiles }; output: TaskSummary };
  /** Loads a model from the addresses of its files. */
  load: { input: { source: LoadSource; dtype: Dtype }; output: ModelInfo };
  /** `folder`: where the run is stored, `null` for nowhere. `model`: `null` for the one that is loaded. */
  run: { input: { folder: string | null; settings: string; files: TaskFiles; options: RunOptions; model: ChosenModel | null }; output: Report };
  /** Goes on with a stored run where it ended. */
  resume: { input: { run: string }; output: Report };
  /** Gives up a call that is under way, by its number. */
  abort: { input: { request: number }; output: null };
  stop: { input: Record<never, never>; output: null };
  /** Draws the brief; the next question sends it as it stands. */
  drawBrief: { input: { files: TaskFiles; options: AskOptions }; output: Brief };
  askTeacher: { input: { files: TaskFiles; options: AskOptions }; output: TeacherAnswer };
  stopAsking: { input: Record<never, never>; output: null };
  /** Checks principles, or writes those of the offline teacher for `null`. */
  checkPrinciples: { input: { files: TaskFiles; text: string | null; options: RunOptions }; output: { principles: PrincipleSet; warnings: string[] } };
  ledger: { input: Record<never, never>; output: string | null };
  setLedger: { input: { ledger: string }; output: null };
  predict: { input: { text: string; context?: string }; output: BeforeAfter };
  generate: { input: { prompt: string; options: GenerateOptions }; output: string[] };
  embed: { input: { texts: string[] }; output: Embeddings };
  /** Makes a run that was brought back the one that `predict` and `embed` answer for. */
  restore: { input: { from: { run: string } | { files: TaskFiles; adapter: AdapterFiles; model: ChosenModel } }; output: null };
  adapter: { input: Record<never, never>; output: AdapterFiles };
  /** The files of a model folder in the hub's layout, with an adapter added into the weights. */
  merge: { input: { model: ChosenModel["model"]; adapter: AdapterFiles }; output: { name: string; data: Blob }[] };
  instances: { input: Record<never, never>; output: string };
  kept: { input: Record<never, never>; output: Kept };
  stored: { input: { run: string }; output: StoredFiles };
  keepEdits: { input: { run: string; edits: string }; output: null };
  /** Deletes these runs, and no run that began meanwhile. */
  forget: { input: { runs: string[] }; output: Kept };
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
