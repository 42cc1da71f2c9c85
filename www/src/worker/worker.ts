/** The worker: owns the engine, so that the page never waits. It answers the requests of `protocol.ts`, and nothing else. */
import type { CallName, Calls, Message, Request } from "../protocol";
import { openEngine } from "./device";
import { CodedError, toFailure } from "./failure";
import { fetchModel } from "./model";
import { RunStore } from "./run-store";
import { begunWith, forgetRuns, keepEdits, keptRuns, storedRun } from "./stored-runs";

let engine: SeedbedEngine | null = null;
let base = "";
let loadedModel: string | null = null;
let running: AbortController | null = null;

type Handlers = { [K in CallName]: (input: Calls[K]["input"]) => Promise<Calls[K]["output"]> };

const handlers: Handlers = {
  async open(input) {
    base = input.base;
    loadedModel = null;
    const opened = await openEngine(input.device);
    engine = opened.engine;
    return {
      device: engine.device === "webgpu" ? "webgpu" : "cpu",
      name: engine.device_name,
      notice: opened.notice,
    };
  },

  async check({ files }) {
    return theEngine().check_task(files.task, files.seeds, files.test);
  },

  async run({ folder, settings, files, options, model }) {
    return alone(async (signal) => {
      await loadModel(model, signal);
      return runAndKeep(await RunStore.create(folder, settings, files, { options, model }, say), files, options, signal);
    });
  },

  async resume({ run }) {
    return alone(async (signal) => {
      const { options, model } = await begunWith(run);
      const { task, seeds, test } = await storedRun(run);
      await loadModel(model, signal);
      return runAndKeep(await RunStore.reopen(run, say), { task, seeds, ...(test === null ? {} : { test }) }, options, signal);
    });
  },

  async stop() {
    running?.abort();
    return null;
  },

  async predict({ text }) {
    return theEngine().predict(text);
  },

  async adapter() {
    return { config: await theEngine().adapter_config(), weights: await theEngine().adapter_weights() };
  },

  async instances() {
    return theEngine().instances();
  },

  kept: keptRuns,

  async stored({ run }) {
    return storedRun(run);
  },

  async keepEdits({ run, edits }) {
    await keepEdits(run, edits);
    return null;
  },

  async forget({ run }) {
    return forgetRuns(run);
  },
};

/** One run at a time; Stop reaches it by the signal. */
async function alone<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  if (running !== null) {
    throw new CodedError("busy", "A run is under way; stop it first.");
  }
  const abort = new AbortController();
  running = abort;
  try {
    return await work(abort.signal);
  } finally {
    running = null;
  }
}

function theEngine(): SeedbedEngine {
  if (engine === null) {
    throw new CodedError("device", "The engine is not open yet; wait a moment and try again.");
  }
  return engine;
}

async function loadModel(name: string, signal: AbortSignal): Promise<void> {
  if (loadedModel === name) {
    return;
  }
  const files = await fetchModel(base, name, (part, done, total) => post({ type: "loading", part, done, total }));
  if (signal.aborted) {
    throw new CodedError("cancelled", "Stopped before the run began.");
  }
  await theEngine().load_model(name, files.config, files.tokenizer, files.weights);
  loadedModel = name;
}

function say(message: string): void {
  post({ type: "notice", code: "storage", message });
}

async function runAndKeep(
  store: RunStore,
  files: Calls["run"]["input"]["files"],
  options: Calls["run"]["input"]["options"],
  signal: AbortSignal,
): Promise<Calls["run"]["output"]> {
  try {
    const report = await theEngine().run(
      files.task,
      files.seeds,
      files.test,
      options,
      (event) => {
        if (event.type !== "kept") {
          post({ type: "event", event });
        }
        store.append(event);
      },
      signal,
      store.forEngine(),
    );
    await store.save("report.json", JSON.stringify(report));
    await store.tidy();
    return report;
  } catch (thrown) {
    if (signal.aborted) {
      await store.markStopped();
    }
    throw thrown;
  } finally {
    await keepResults(store);
    store.close();
  }
}

/** After a stop there may be no adapter yet; what there is, is kept. */
async function keepResults(store: RunStore): Promise<void> {
  try {
    await store.save("instances.jsonl", theEngine().instances());
    await store.save("adapter_config.json", await theEngine().adapter_config());
    await store.save("adapter_model.safetensors", await theEngine().adapter_weights());
  } catch {
    // Nothing was trained before the run ended.
  }
}

function post(message: Message): void {
  self.postMessage(message);
}

async function answer(request: Request): Promise<void> {
  try {
    // Each handler takes exactly its own request; the table's type ties the two together, which a lookup by name forgets.
    const handler = handlers[request.call] as (input: Request) => Promise<Calls[CallName]["output"]>;
    post({ type: "answer", id: request.id, output: await handler(request) });
  } catch (thrown) {
    post({ type: "failure", id: request.id, failure: toFailure(thrown) });
  }
}

self.addEventListener("message", (message: MessageEvent<Request>) => void answer(message.data));
