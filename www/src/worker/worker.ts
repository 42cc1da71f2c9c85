/** The worker: owns the engine, so that the page never waits. It answers the requests of `protocol.ts`, and nothing else. */
import type { CallName, Calls, Message, Request } from "../protocol";
import { openEngine } from "./device";
import { installDoor } from "./door";
import { CodedError, toFailure } from "./failure";
import { goOnWith, withoutHeld } from "./ledger";
import { fetchModel } from "./model";
import { RunStore } from "./run-store";
import { forgetRuns, keepEdits, keptRuns, storedRun } from "./stored-runs";

let engine: SeedbedEngine | null = null;
let base = "";
let loadedModel: string | null = null;
let running: AbortController | null = null;
let asking: AbortController | null = null;

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
    if (running !== null) {
      throw new CodedError("busy", "A run is under way; stop it first.");
    }
    const abort = new AbortController();
    running = abort;
    try {
      await loadModel(model, abort.signal);
      return await runAndKeep(await RunStore.create(folder, settings, files, say), files, options, abort.signal);
    } finally {
      running = null;
    }
  },

  async stop() {
    running?.abort();
    return null;
  },

  async drawBrief({ files, options }) {
    return theEngine().draw_brief(files.task, files.seeds, files.test, options);
  },

  async askTeacher({ files, options }) {
    if (running !== null || asking !== null) {
      throw new CodedError("busy", "A run or a question is under way; stop it first.");
    }
    asking = new AbortController();
    try {
      return await theEngine().ask_teacher(files.task, files.seeds, files.test, options, asking.signal);
    } finally {
      asking = null;
    }
  },

  async stopAsking() {
    asking?.abort();
    return null;
  },

  async checkPrinciples({ files, text, options }) {
    return theEngine().check_principles(files.task, files.seeds, files.test, text ?? undefined, options);
  },

  async ledger() {
    return withoutHeld(theEngine().ledger()) ?? null;
  },

  async setLedger({ ledger }) {
    theEngine().set_ledger(ledger);
    goOnWith(ledger);
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
  for (const [file, bytes] of Object.entries({ "config.json": files.config, "tokenizer.json": files.tokenizer, "model.safetensors": files.weights })) {
    post({ type: "downloaded", url: new URL(`models/${name}/${file}`, base).href, bytes: bytes.byteLength });
  }
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
        post({ type: "event", event });
        store.append(event);
      },
      signal,
    );
    await store.save("report.json", JSON.stringify(report));
    return report;
  } finally {
    await keepResults(store);
    store.close();
  }
}

/** After a stop there may be no adapter yet; what there is, is kept. */
async function keepResults(store: RunStore): Promise<void> {
  try {
    await store.save("instances.jsonl", theEngine().instances());
    const [ledger, answers] = [withoutHeld(theEngine().ledger()), theEngine().answers()];
    if (ledger !== undefined) {
      await store.save("ledger.json", ledger);
    }
    if (answers !== undefined) {
      await store.save("answers.json", answers);
    }
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

installDoor();
self.addEventListener("message", (message: MessageEvent<Request>) => void answer(message.data));
