/** A small model that can be taught: the package's main object. */
import { EngineClient } from "./engine-client";
import { SeedbedError, toSeedbedError } from "./errors";
import type { Report, RunEvent } from "./events";
import type { AdapterFiles, CallName, Calls, DeviceChoice, Embeddings, LoadSource, ModelInfo, OpenedEngine, Prediction, RunOptions, TaskSummary } from "./protocol";
import type { Dtype } from "./models/types";
import { Run } from "./run";
import { type Task, toFiles } from "./task";

/** How far the loading of a model is. */
export interface LoadProgress {
  /** Bytes that have arrived. */
  done: number;
  /** Bytes there are, where the server says so. */
  total: number | null;
}

export interface LoadOptions {
  /** `auto`, the default: WebGPU where a graphics card answers, else the CPU. */
  device?: DeviceChoice;
  /**
   * Threads on the CPU, at most. There are several only on a page that is isolated from other origins (`crossOriginIsolated`); unless
   * told, as many as are worth it. What is computed does not depend on them.
   */
  threads?: number;
  /** What the model's matrices are kept in; `f32` unless told. Fewer bits take less memory; `stored` keeps a GGUF file's own. */
  dtype?: Dtype;
  onProgress?: (progress: LoadProgress) => void;
  /** Gives the loading up. */
  signal?: AbortSignal;
  /** Starts the worker, where the usual way does not do: `new Worker(new URL("seedbed/worker", import.meta.url), { type: "module" })`. */
  worker?: () => Worker;
}

/** Anything that can be given up. */
export interface Abortable {
  signal?: AbortSignal;
}

/** How to run a task. What is left out is the recipe's own choice. */
export interface EvolveOptions extends Abortable {
  /** `psi`, the default: principles, then instances from them. `lance`: rounds of review and preference. `evokd`: rounds after what the student gets wrong. */
  recipe?: "psi" | "lance" | "evokd";
  /** Who writes the principles. `offline`, the default: statistics of the seeds. Or principles of your own, a JSON object a line. */
  teacher?: "offline" | { principles: string };
  /** Seed of every random choice. */
  seed?: number;
  /** Accepted instances a row is to have at most. */
  instances?: number;
  rounds?: number;
  epochs?: number;
  learningRate?: number;
  /** Seeds of each label that are used. */
  seedsPerLabel?: number;
  /** Test rows that are measured at most. */
  testLimit?: number;
  /** The students that are compared; without it those of the recipe. */
  rows?: RunOptions["rows"];
  /** Texts that the student answers as it learns, in `sample` events; a run is the same without them. */
  watch?: string[];
  /** Parts of the recipe that are switched off, as `no_filter`. */
  ablations?: string[];
  /** Any other knob of the recipe by its name, as `{ temperature: 0.7 }`; `seedbed recipe psi` lists them. */
  knobs?: Readonly<Record<string, string | number | boolean>>;
}

export interface GenerateRequest extends Abortable {
  /** Text to continue, as it stands. */
  prompt: string;
  /** Texts, 1 to 4096; 1 unless told. */
  n?: number;
  /** New tokens of a text at most; 64 unless told. */
  maxTokens?: number;
  /** Scores are divided by it before a token is drawn; 0 always takes the best. 0.8 unless told. */
  temperature?: number;
  /** Draws among the best so many tokens only; 0, the default, among all. */
  topK?: number;
  /** Draws among the best tokens that together have this probability, above 0 and at most 1; 0.95 unless told. */
  topP?: number;
  /** Seed of the draws; 1 unless told. */
  seed?: number;
}

export interface PredictOptions extends Abortable {
  /** The passage that a question is about. */
  context?: string;
}

/** What the student says to a text, and what the untouched model says. */
export interface StudentPrediction extends Prediction {
  before: Prediction;
}

export class Student {
  readonly #client: EngineClient;
  readonly #source: LoadSource;
  readonly #dtype: Dtype;
  #engine: OpenedEngine;
  #model: ModelInfo;
  #run: Run | null = null;
  /** The engine, whenever it has to be started anew. */
  #ready: Promise<unknown> = Promise.resolve();
  #disposed = false;

  private constructor(client: EngineClient, source: LoadSource, dtype: Dtype, engine: OpenedEngine, model: ModelInfo) {
    this.#client = client;
    this.#source = source;
    this.#dtype = dtype;
    this.#engine = engine;
    this.#model = model;
  }

  /** @internal */
  static async load(source: LoadSource, options: LoadOptions, startWorker: () => Worker): Promise<Student> {
    const loaded: { student: Student | null } = { student: null };
    const client = new EngineClient(
      {
        event: (event) => loaded.student?.hear(event),
        loading: (done, total) => options.onProgress?.({ done, total }),
        keeping: (done, total) => options.onProgress?.({ done, total }),
        notice: () => undefined,
      },
      options.worker ?? startWorker,
    );
    const { signal, dtype = "f32" } = options;
    const close = () => client.close();
    signal?.addEventListener("abort", close, { once: true });
    try {
      if (signal?.aborted === true) {
        throw new SeedbedError("cancelled", "Stopped before the model was there.");
      }
      const engine = await client.open(options.device ?? "auto", options.threads);
      const model = await client.call("load", { source, dtype });
      loaded.student = new Student(client, source, dtype, engine, model);
      return loaded.student;
    } catch (thrown) {
      client.close();
      throw toSeedbedError(thrown);
    } finally {
      signal?.removeEventListener("abort", close);
    }
  }

  /** What the loaded model is. */
  get model(): ModelInfo {
    return this.#model;
  }

  /** Where it runs. */
  get device(): "webgpu" | "cpu" {
    return this.#engine.device;
  }

  /** The device's name, for people. */
  get deviceName(): string {
    return this.#engine.name;
  }

  /** Threads that compute on the CPU; 1 on WebGPU. */
  get threads(): number {
    return this.#engine.threads;
  }

  /** What a person should know about the choice of the device, if anything. */
  get notice(): string | null {
    return this.#engine.notice;
  }

  /** Reads a task without running it. */
  async check(task: Task, { signal }: Abortable = {}): Promise<TaskSummary> {
    return this.#call("check", { files: toFiles(task) }, signal);
  }

  /**
   * Teaches the student a task, from the model as it was loaded. One run at a time: a second one is refused with `busy`.
   * When it is over, `predict` and `generate` answer with what was learnt.
   */
  evolve(task: Task, options: EvolveOptions = {}): Run {
    this.#alive();
    if (this.#run !== null && !this.#run.ended) {
      throw new SeedbedError("busy", "This student has a run under way.");
    }
    const { signal } = options;
    const run: Run = new Run(
      { stop: () => void this.#stop(run), adapter: (of, given) => this.#adapter(of, given) },
      this.#evolve(task, options).finally(() => signal?.removeEventListener("abort", cancel)),
    );
    const cancel = () => run.cancel();
    signal?.addEventListener("abort", cancel, { once: true });
    this.#run = run;
    return run;
  }

  /** The answer to a text, by the student of the last run. There must have been a run: what an answer is, its task says. */
  async predict(text: string, { signal, context }: PredictOptions = {}): Promise<StudentPrediction> {
    const { before, after } = await this.#call("predict", given({ text, context }) as { text: string }, signal);
    return { ...(after ?? before), before };
  }

  /** Writes texts behind a prompt. */
  async generate(request: GenerateRequest): Promise<string[]> {
    const { prompt, signal, n, maxTokens, temperature, topK, topP, seed } = request;
    const options = given({ n, max_tokens: maxTokens, temperature, top_k: topK, top_p: topP, seed });
    return this.#call("generate", { prompt, options }, signal);
  }

  /** Where texts lie in the student's own space: the mean of its last states over a text's tokens. */
  async embed(texts: readonly string[], { signal }: Abortable = {}): Promise<Embeddings> {
    return this.#call("embed", { texts: [...texts] }, signal);
  }

  /** Ends the worker and frees what it holds. Whatever is under way is refused with `cancelled`. */
  dispose(): void {
    this.#disposed = true;
    this.#client.close();
  }

  /** @internal */
  hear(event: RunEvent): void {
    this.#run?.take(event);
  }

  async #evolve(task: Task, options: EvolveOptions): Promise<Report> {
    if (options.signal?.aborted === true) {
      throw new SeedbedError("cancelled", "Stopped before the run began.");
    }
    return this.#call("run", { folder: null, settings: "", files: toFiles(task), options: toRunOptions(options), model: null });
  }

  /** A worker too deep in a computation to hear of it is ended, and another one started. */
  async #stop(run: Run): Promise<void> {
    if ((await this.#client.stop(run.result)) === "deaf" && !this.#disposed) {
      this.#startAnew();
    }
  }

  async #adapter(of: Run, signal?: AbortSignal): Promise<AdapterFiles> {
    if (this.#run !== of) {
      throw new SeedbedError("superseded", "The student has begun another run since.");
    }
    return this.#call("adapter", {}, signal);
  }

  async #call<K extends CallName>(name: K, input: Calls[K]["input"], signal?: AbortSignal): Promise<Calls[K]["output"]> {
    try {
      this.#alive();
      await this.#ready;
      return await this.#client.call(name, input, signal);
    } catch (thrown) {
      const error = toSeedbedError(thrown);
      // After a trap the module's memory cannot be trusted any more.
      if (error.code === "crashed" && !this.#disposed) {
        this.#startAnew();
      }
      throw error;
    }
  }

  #alive(): void {
    if (this.#disposed) {
      throw new SeedbedError("disposed", "This student was disposed of.");
    }
  }

  #startAnew(): void {
    const started = this.#client.reopen().then(async (engine) => {
      this.#engine = engine;
      this.#model = await this.#client.call("load", { source: this.#source, dtype: this.#dtype });
    });
    // Said to whoever calls next.
    started.catch(() => undefined);
    this.#ready = started;
  }
}

function toRunOptions(options: EvolveOptions): RunOptions {
  const { recipe, teacher, seed, instances, rounds, epochs, learningRate, seedsPerLabel, testLimit, rows, watch, ablations, knobs } = options;
  const principles = typeof teacher === "object" ? teacher.principles : undefined;
  return given({
    ...knobs,
    recipe,
    principles,
    seed,
    instances,
    rounds,
    epochs,
    learning_rate: learningRate,
    seeds_per_label: seedsPerLabel,
    test_limit: testLimit,
    rows,
    watch,
    ablations,
  });
}

/** What is there, without what is not. */
function given<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
