/** Drives the engine: loads the model and takes each measure. */
import { countGpu } from "./gpu-counters";
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
  const module = job.device === "webgpu" ? await import("#engine/gpu") : await import("#engine/cpu");
  await module.default();
  const engine = await module.Engine.open();
  const measures: Record<string, Measured> = {};
  const tell = () =>
    self.postMessage({ device: engine.device, device_name: engine.device_name, measures } satisfies Partial<Outcome>);
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

/** From the first request until the model is ready; the files come from this machine. */
async function loadModel(engine: SeedbedEngine, job: Job): Promise<Pass> {
  const file = async (name: string) => {
    const response = await fetch(`${job.base}/${name}`);
    if (!response.ok) {
      throw new Error(`${response.url} answered ${response.status}`);
    }
    return new Uint8Array(await response.arrayBuffer());
  };
  return timed(1, 0, async () => {
    const [config, tokenizer, weights] = await Promise.all(
      ["config.json", "tokenizer.json", "model.safetensors"].map(file),
    );
    if (config !== undefined && tokenizer !== undefined && weights !== undefined) {
      await engine.load_model(job.model, config, tokenizer, weights);
    }
  });
}

function passes(flat: Float64Array): Pass[] {
  return Array.from({ length: flat.length / 4 }, (_, index) => {
    const [ms = 0, work = 0, tokens = 0, loss = NaN] = flat.subarray(4 * index, 4 * index + 4);
    return { ms, work, tokens, loss: Number.isNaN(loss) ? null : loss };
  });
}
