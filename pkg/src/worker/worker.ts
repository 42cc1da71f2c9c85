/** The worker: owns the engine, so that the page never waits. It answers the requests of `protocol.ts`, and nothing else. */
import { BUNDLED_MODEL, bundledModel } from "../models/bundled";
import type { AdapterFiles, CallName, Calls, ChosenModel, LoadSource, Message, ModelInfo, Request, TaskFiles } from "../protocol";
import { openEngine } from "./device";
import { installDoor } from "./door";
import { CodedError, toFailure } from "./failure";
import { goOnWith, withoutHeld } from "./ledger";
import { watchDevices } from "./lost";
import { bundledFiles, type Fetching, fetchModel, layoutFiles } from "./model";
import { blobFile, type EngineFile } from "./models/bytes";
import { Models } from "./models/models";
import { RunStore } from "./run-store";
import { begunWith, forgetRuns, keepEdits, keptRuns, storedRun } from "./stored-runs";

let engine: SeedbedEngine | null = null;
let base = "";
let loadedModel: string | null = null;
/** Memory that the engine had taken when its model was loaded. */
let heap = 0;
let running: AbortController | null = null;
/** Ends the run that is under way, whatever the engine does. */
let giveUp: ((failure: CodedError) => void) | null = null;
let asking: AbortController | null = null;

/** How long a run may take to notice by itself that its device is lost, and to hand over what it has. */
const LOST_PATIENCE_MS = 3_000;

const models = new Models({
  asked: (url) => post({ type: "asked", url }),
  progress: (done, total) => post({ type: "keeping", done, total }),
  notice: say,
  describe: (files) => theEngine().describe_model(files),
});
/** The calls under way, by their number. */
const underWay = new Map<number, AbortController>();

type Handlers = { [K in CallName]: (input: Calls[K]["input"], signal: AbortSignal) => Promise<Calls[K]["output"]> };

const handlers: Handlers = {
  async open(input) {
    base = input.base;
    loadedModel = null;
    const opened = await openEngine(input.device, input.threads);
    engine = opened.engine;
    return {
      device: engine.device === "webgpu" ? "webgpu" : "cpu",
      name: opened.threads > 1 ? `${engine.device_name}, ${opened.threads} threads` : engine.device_name,
      threads: opened.threads,
      notice: opened.notice,
    };
  },

  async check({ files }) {
    return theEngine().check_task(files.task, files.seeds, files.test);
  },

  async load({ source, dtype }, signal) {
    const { name, files } = await sourceOf(source, signal);
    return openModel(null, name, files, dtype, signal);
  },

  async run({ folder, settings, files, options, model }, given) {
    return alone(given, async (signal) => {
      if (model !== null) {
        await loadModel(model, signal);
      }
      const store = folder === null ? null : await RunStore.create(folder, settings, files, { options, model }, say);
      return runAndKeep(store, files, options, signal);
    });
  },

  async resume({ run }, given) {
    return alone(given, async (signal) => {
      const { options, model } = await begunWith(run);
      const { task, seeds, test } = await storedRun(run);
      if (model !== null) {
        await loadModel(model, signal);
      }
      return runAndKeep(await RunStore.reopen(run, say), { task, seeds, ...(test === null ? {} : { test }) }, options, signal);
    });
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

  async abort({ request }) {
    underWay.get(request)?.abort();
    return null;
  },

  async predict({ text, context }) {
    return theEngine().predict(text, context);
  },

  async generate({ prompt, options }, signal) {
    return theEngine().generate(prompt, options, signal);
  },

  async embed({ texts }, signal) {
    const values = await theEngine().embed(texts, signal);
    return { width: texts.length === 0 ? 0 : values.length / texts.length, values };
  },

  async restore({ from }, given) {
    return alone(given, async (signal) => {
      const { files, adapter, model } = "run" in from ? await keptOf(from.run) : from;
      await loadModel(model, signal);
      theEngine().restore(files.task, files.seeds, files.test, adapter.config, adapter.weights);
      return null;
    });
  },

  async adapter() {
    return { config: await theEngine().adapter_config(), weights: await theEngine().adapter_weights() };
  },

  async merge({ model, adapter }, signal) {
    const { files } = await filesOf(model, signal);
    // Each piece a file of the browser's own, which need not stay in memory.
    const written = new Map<string, Blob[]>();
    theEngine().merge_model(files, new TextEncoder().encode(adapter.config), adapter.weights, (name, piece) => {
      const pieces = written.get(name) ?? [];
      pieces.push(new Blob([piece]));
      written.set(name, pieces);
    });
    return [...written].map(([name, pieces]) => ({ name, data: new Blob(pieces) }));
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

  async forget({ runs }) {
    return forgetRuns(runs);
  },

  shelf: () => models.shelf(),

  async planOfFiles({ files }) {
    return models.ofFiles(files);
  },

  lookUp: ({ repository, file }) => models.lookUp(repository, file),

  keepModel: ({ plan }) => models.keep(plan),

  async stopKeeping() {
    models.stop();
    return null;
  },

  async forgetModel({ model }) {
    await models.forget(model);
    return models.shelf();
  },

  async say({ text, limit, model, dtype }) {
    await loadModel({ model, dtype }, new AbortController().signal);
    const begin = performance.now();
    const said = await theEngine().say(text, limit);
    return { ...said, seconds: (performance.now() - begin) / 1000, heap };
  },
};

/** What a stored run is brought back from. */
async function keptOf(run: string): Promise<{ files: TaskFiles; adapter: AdapterFiles; model: ChosenModel }> {
  const [{ model }, { task, seeds, test, adapter }] = await Promise.all([begunWith(run), storedRun(run)]);
  if (adapter === null) {
    throw new CodedError("storage", "Nothing was trained in this run, so there is no student to ask.");
  }
  return { files: { task, seeds, ...(test === null ? {} : { test }) }, adapter, model: model ?? { model: BUNDLED_MODEL, dtype: "f32" } };
}

/** One run at a time; Stop reaches it by the signal. */
async function alone<T>(given: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  if (running !== null) {
    throw new CodedError("busy", "A run is under way; stop it first.");
  }
  const abort = new AbortController();
  given.addEventListener("abort", () => abort.abort());
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

function fetching(signal: AbortSignal): Fetching {
  return {
    signal,
    onLoading: (part, done, total) => post({ type: "loading", part, done, total }),
    onArrived: (url, bytes) => post({ type: "downloaded", url, bytes }),
  };
}

async function loadModel({ model, dtype }: ChosenModel, signal: AbortSignal): Promise<void> {
  const wanted = `${model} ${dtype}`;
  if (loadedModel === wanted) {
    return;
  }
  const { name, files } = await filesOf(model, signal);
  await openModel(wanted, name, files, dtype, signal);
}

/** A model by its name: one that lies beside the page, or one that is kept. */
async function filesOf(model: ChosenModel["model"], signal: AbortSignal): Promise<{ name: string; files: EngineFile[] }> {
  const bundled = bundledModel(model);
  return bundled === null ? models.open(model) : { name: model, files: await fetchModel(bundledFiles(base, bundled), fetching(signal)) };
}

async function sourceOf(source: LoadSource, signal: AbortSignal): Promise<{ name: string; files: EngineFile[] }> {
  switch (source.kind) {
    case "addresses":
      return { name: source.files.name, files: await fetchModel(layoutFiles(source.files), fetching(signal)) };
    case "files": {
      const { name } = models.ofFiles(source.files);
      return { name, files: source.files.map((file) => blobFile(file.name, file)) };
    }
    case "hub": {
      const found = await models.lookUp(source.repository, source.file);
      if ("choices" in found) {
        throw new CodedError("bad_model", `${source.repository} holds several GGUF files; name one of them as \`file\`: ${found.choices.join(", ")}.`);
      }
      const stop = () => models.stop();
      signal.addEventListener("abort", stop);
      const { id } = await models.keep(found.plan.id).finally(() => signal.removeEventListener("abort", stop));
      return models.open(id);
    }
  }
}

async function openModel(wanted: string | null, name: string, files: EngineFile[], dtype: ChosenModel["dtype"], signal: AbortSignal): Promise<ModelInfo> {
  if (signal.aborted) {
    throw new CodedError("cancelled", "Stopped before the run began.");
  }
  // From here on the engine has no model until it has this one.
  loadedModel = null;
  const info = await theEngine().open_model(name, files, dtype).catch((thrown: unknown) => {
    throw thrown instanceof WebAssembly.RuntimeError ? new CodedError("memory", `There was not memory enough for ${name} as ${dtype}; choose fewer bits under Model, or a smaller model.`) : thrown;
  });
  loadedModel = wanted;
  heap = info.heap;
  if (info.unknown_frame) {
    post({ type: "notice", code: "model", message: `The chat template of ${name} is not one that the page knows, so turns are put in a plain frame; the model may answer worse than it can.` });
  }
  return info;
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
  const given = new Promise<never>((_, reject) => (giveUp = reject));
  try {
    const run = theEngine().run(
      files.task,
      files.seeds,
      files.test,
      options,
      (event) => {
        if (event.type !== "kept") {
          post({ type: "event", event });
        }
        store?.append(event);
      },
      signal,
      store?.forEngine(),
    );
    const report = await Promise.race([run, given]);
    await keepResults(store);
    // Last of all: a run that has it is not gone on with, so that what is not kept by then never would be.
    await store?.save("report.json", JSON.stringify(report));
    await store?.tidy();
    return report;
  } catch (thrown) {
    if (signal.aborted) {
      await store?.markStopped();
    }
    await keepResults(store);
    throw thrown;
  } finally {
    giveUp = null;
    store?.close();
  }
}

/** After a stop there may be no adapter yet; what there is, is kept. */
async function keepResults(store: RunStore | null): Promise<void> {
  if (store === null) {
    return;
  }
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

/** Without its device the engine is of no more use; the page starts another. */
function lost(reason: string): void {
  const message = `The graphics device was lost (${reason}).`;
  if (running === null) {
    post({ type: "lost", message });
    return;
  }
  const end = () => giveUp?.(new CodedError("device", `${message} What was made so far is kept; press Play to start again, or choose the CPU.`));
  setTimeout(end, LOST_PATIENCE_MS);
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

watchDevices(lost);
installDoor();
self.addEventListener("message", (message: MessageEvent<Request>) => void answer(message.data));
