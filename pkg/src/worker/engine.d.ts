/**
 * The wasm module as the worker sees it. Both builds (`cpu`, `gpu`) have this one interface; it is written down here so
 * that the page can be type-checked before any wasm is built.
 */
/** Where a run's log is: what it holds already, and its files. Lines are appended by whoever hears the events. */
declare interface EngineLog {
  readonly past: string;
  put(name: string, bytes: Uint8Array): Promise<void>;
  get(name: string): Promise<Uint8Array>;
  remove(name: string): void;
}

declare interface SeedbedEngine {
  readonly device: string;
  readonly device_name: string;
  /** Something a person should know of the device. */
  readonly notice?: string | undefined;
  /** The files are read while the model goes to the device, a few megabytes at a time. */
  open_model(name: string, files: import("./models/bytes").EngineFile[], dtype: import("../models/types").Dtype): Promise<import("../protocol").ModelInfo>;
  describe_model(files: import("./models/bytes").EngineFile[]): import("../models/types").ModelShape;
  /** What the untouched model answers, the best token always. */
  say(prompt: string, limit: number): Promise<{ text: string; tokens: number; ended: boolean }>;
  check_task(task: string, seeds: string, test?: string): import("../protocol").TaskSummary;
  run(
    task: string,
    seeds: string,
    test: string | undefined,
    options: import("../protocol").RunOptions,
    on_event: (event: import("../events").RunEvent | import("../events").Kept) => void,
    signal: AbortSignal,
    log?: EngineLog,
  ): Promise<import("../events").Report>;
  predict(text: string, context?: string): Promise<import("../protocol").BeforeAfter>;
  generate(prompt: string, options: import("../protocol").GenerateOptions, signal: AbortSignal): Promise<string[]>;
  /** A run that was brought back: from now on it is the last one. */
  restore(task: string, seeds: string, test: string | undefined, config: string, weights: Uint8Array): void;
  /** Hands the files of the model with the adapter added to `write`, one after the other and piece by piece. */
  merge_model(files: import("./models/bytes").EngineFile[], config: Uint8Array, adapter: Uint8Array, write: (name: string, piece: Uint8Array<ArrayBuffer>) => void): void;
  embed(texts: string[], signal: AbortSignal): Promise<Float32Array>;
  adapter_config(): Promise<string>;
  adapter_weights(): Promise<Uint8Array>;
  instances(): string;
  draw_brief(task: string, seeds: string, test: string | undefined, options: import("../protocol").AskOptions): import("../boundary/state").Brief;
  ask_teacher(
    task: string,
    seeds: string,
    test: string | undefined,
    options: import("../protocol").AskOptions,
    signal: AbortSignal,
  ): Promise<import("../protocol").TeacherAnswer>;
  check_principles(
    task: string,
    seeds: string,
    test: string | undefined,
    text: string | undefined,
    options: import("../protocol").RunOptions,
  ): import("../protocol").Calls["checkPrinciples"]["output"];
  ledger(): string | undefined;
  set_ledger(json: string): void;
  answers(): string | undefined;
}

declare interface EngineModule {
  default(): Promise<unknown>;
  Engine: { open(): Promise<SeedbedEngine> };
}

declare module "#engine/cpu" {
  export default function init(given?: { module_or_path: WebAssembly.Module; memory: WebAssembly.Memory }): Promise<unknown>;
  export const Engine: EngineModule["Engine"];
  /** From now on heavy work is spread over so many threads. */
  export function use_helpers(spread: (task: number, pieces: number) => void, threads: number): void;
  /** Where the module is. */
  export const address: URL;
  /** Pages that its memory begins with. */
  export const pages: number;
}

declare module "#engine/gpu" {
  const init: EngineModule["default"];
  export default init;
  export const Engine: EngineModule["Engine"];
}
