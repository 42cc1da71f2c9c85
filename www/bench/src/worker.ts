/** Drives the engine: loads the model and takes each measure. */
import type { Dtype } from "#seedbed/models/types";
import { blobFile } from "#seedbed/worker/models/bytes";
import { countGpu } from "./gpu-counters";
import { startWithThreads, wantedThreads } from "#seedbed/worker/threads";
import { words, type Job, type Measured, type Outcome, type Pass } from "./job";
import { measured, repeat, timed } from "./measure";

self.addEventListener("message", (message: MessageEvent<Job>) => {
  void run(message.data).then(
    () => self.postMessage({ done: true }),
    (thrown: unknown) => self.postMessage({ error: words(thrown), done: true }),
  );
});

/** Tells what there is after every measure, for a job that is not done in time. */
async function run(job: Job): Promise<void> {
  const counter = countGpu();
  const { engine, threads } = await open(job);
  const measures: Record<string, Measured> = {};
  const tell = () =>
    self.postMessage({ device: engine.device, device_name: engine.device_name, set_up: { threads }, measures } satisfies Partial<Outcome>);
  if (job.measures.includes("load")) {
    measures["load"] = await measured(job, counter, () => repeat(job, () => loadModel(engine, job)));
  } else {
    await loadModel(engine, job);
  }
  for (const name of job.measures.filter((name) => name !== "load")) {
    measures[name] = await measured(job, counter, async () =>
      passes(await engine.bench(name, job.warmup, job.samples, job.budget_ms)),
    );
    tell();
  }
  tell();
}

/** The engine as the product opens it. */
async function open(job: Job): Promise<{ engine: SeedbedEngine; threads: number }> {
  if (job.device === "webgpu") {
    const module = await import("#engine/gpu");
    await module.default();
    return { engine: await module.Engine.open(), threads: 1 };
  }
  const module = await import("#engine/cpu");
  const threads = await startWithThreads(module, Math.min(job.threads, wantedThreads()));
  return { engine: await module.Engine.open(), threads };
}

/** From the first request until the model is ready; the files come from this machine. */
async function loadModel(engine: SeedbedEngine, job: Job): Promise<Pass> {
  const file = async (name: string) => {
    const response = await fetch(`${job.base}/${name}`);
    if (!response.ok) {
      throw new Error(`${response.url} answered ${response.status}`);
    }
    return blobFile(name, await response.blob());
  };
  return timed(1, 0, async () => {
    const files = await Promise.all(["config.json", "tokenizer.json", "model.safetensors"].map(file));
    // A variant that is none is refused by the engine.
    await engine.open_model(job.model, files, (job.variant ?? "f32") as Dtype);
  });
}

function passes(flat: Float64Array): Pass[] {
  return Array.from({ length: flat.length / 4 }, (_, index) => {
    const [ms = 0, work = 0, tokens = 0, loss = NaN] = flat.subarray(4 * index, 4 * index + 4);
    return { ms, work, tokens, loss: Number.isNaN(loss) ? null : loss };
  });
}
