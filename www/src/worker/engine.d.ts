/**
 * The wasm module as the worker sees it. Both builds (`cpu`, `gpu`) have this one interface; it is written down here so
 * that the page can be type-checked before any wasm is built.
 */
declare interface ModelInfo {
  name: string;
  parameters: number;
  layers: number;
  hidden: number;
  vocabulary: number;
  context: number;
  bytes: number;
}

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
  load_model(name: string, config: Uint8Array, tokenizer: Uint8Array, weights: Uint8Array): Promise<ModelInfo>;
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
  predict(text: string): Promise<import("../protocol").BeforeAfter>;
  adapter_config(): Promise<string>;
  adapter_weights(): Promise<Uint8Array>;
  instances(): string;
}

declare interface EngineModule {
  default(): Promise<unknown>;
  Engine: { open(): Promise<SeedbedEngine> };
}

declare module "#engine/cpu" {
  const init: EngineModule["default"];
  export default init;
  export const Engine: EngineModule["Engine"];
}

declare module "#engine/gpu" {
  const init: EngineModule["default"];
  export default init;
  export const Engine: EngineModule["Engine"];
}
