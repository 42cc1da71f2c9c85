/** The worker: owns the engine, so that the page never waits. It answers the requests of `protocol.ts`, and nothing else. */
import type { CallName, Calls, Message, ModelFiles, ModelInfo, Request } from "../protocol";
import { openEngine } from "./device";
import { CodedError, toFailure } from "./failure";
import { bundledFiles, fetchModel } from "./model";
import { RunStore } from "./run-store";
import { forgetRuns, keepEdits, keptRuns, storedRun } from "./stored-runs";

let engine: SeedbedEngine | null = null;
let base = "";
let loadedModel: string | null = null;
let running: AbortController | null = null;
/** The calls under way, by their number. */
const underWay = new Map<number, AbortController>();

type Handlers = { [K in CallName]: (input: Calls[K]["input"], signal: AbortSignal) => Promise<Calls[K]["output"]> };

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

  async load({ files }, signal) {
    loadedModel = null;
    const info = await loadFiles(files, signal);
    loadedModel = files.name;
    return info;
  },

  async run({ folder, settings, files, options, model }, given) {
    if (running !== null) {
      throw new CodedError("busy", "A run is under way; stop it first.");
    }
    const abort = new AbortController();
    given.addEventListener("abort", () => abort.abort());
    running = abort;
    try {
      if (model !== null && loadedModel !== model) {
        await loadFiles(bundledFiles(base, model), abort.signal);
        loadedModel = model;
      }
      const store = folder === null ? null : await RunStore.create(folder, settings, files, say);
      return await runAndKeep(store, files, options, abort.signal);
    } finally {
      running = null;
    }
  },

  async stop() {
    running?.abort();
    return null;
  },

  async abort({ request }) {
    underWay.get(request)?.abort();
    return null;
  },

  async predict({ text }) {
    return theEngine().predict(text);
  },

  async generate({ prompt, options }, signal) {
    return theEngine().generate(prompt, options, signal);
  },

  async embed({ texts }, signal) {
    const values = await theEngine().embed(texts, signal);
    return { width: texts.length === 0 ? 0 : values.length / texts.length, values };
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

function theEngine(): SeedbedEngine {
  if (engine === null) {
    throw new CodedError("device", "The engine is not open yet; wait a moment and try again.");
  }
  return engine;
}

async function loadFiles(files: ModelFiles, signal: AbortSignal): Promise<ModelInfo> {
  const bytes = await fetchModel(files, (part, done, total) => post({ type: "loading", part, done, total }), signal);
  if (signal.aborted) {
    throw new CodedError("cancelled", "Stopped before the run began.");
  }
  return theEngine().load_model(files.name, bytes.config, bytes.tokenizer, bytes.weights);
}

function say(message: string): void {
  post({ type: "notice", code: "storage", message });
}

async function runAndKeep(
  store: RunStore | null,
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
        post({ type: "event", event });
        store?.append(event);
      },
      signal,
    );
    await store?.save("report.json", JSON.stringify(report));
    return report;
  } finally {
    if (store !== null) {
      await keepResults(store);
      store.close();
    }
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
  const abort = new AbortController();
  underWay.set(request.id, abort);
  try {
    // Each handler takes exactly its own request; the table's type ties the two together, which a lookup by name forgets.
    const handler = handlers[request.call] as (input: Request, signal: AbortSignal) => Promise<Calls[CallName]["output"]>;
    post({ type: "answer", id: request.id, output: await handler(request, abort.signal) });
  } catch (thrown) {
    post({ type: "failure", id: request.id, failure: toFailure(thrown) });
  } finally {
    underWay.delete(request.id);
  }
}

self.addEventListener("message", (message: MessageEvent<Request>) => void answer(message.data));
