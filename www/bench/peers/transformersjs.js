/** transformers.js on ONNX Runtime Web: reading, decoding and instances. It cannot train. `variant` is its dtype. */
import { AutoModelForCausalLM, env, Tensor } from "@huggingface/transformers";
import { countGpu } from "../src/gpu-counters";
import { answer } from "../src/job";
import { measured, repeat, timed } from "../src/measure";
import * as shape from "../src/work";

const onnx = env.backends.onnx;

void answer(async (job, outcome) => {
  const counter = countGpu();
  env.allowRemoteModels = false;
  env.allowLocalModels = true;
  env.useBrowserCache = false;
  env.useWasmCache = false;
  env.localModelPath = new URL("../", new URL(`${job.base}/`, location.href)).pathname;
  onnx.wasm.wasmPaths = new URL("../wasm/", location.href).href;
  onnx.wasm.numThreads = job.threads;
  const load = () => AutoModelForCausalLM.from_pretrained(job.model, { device: job.device, dtype: job.variant });
  let model = null;
  if (job.measures.includes("load")) {
    outcome.measures.load = await measured(job, counter, () =>
      repeat(job, async () => {
        await model?.dispose();
        return timed(1, 0, async () => {
          model = await load();
        });
      }),
    );
    if (outcome.measures.load.error !== undefined) {
      throw new Error(outcome.measures.load.error);
    }
  } else {
    model = await load();
  }
  outcome.set_up = { dtype: job.variant, threads: onnx.wasm.numThreads, isolated: crossOriginIsolated };
  for (const name of job.measures) {
    const pass = passOf(model, name);
    if (pass !== null) {
      outcome.measures[name] = await measured(job, counter, () => repeat(job, pass));
    }
  }
});

/** One pass of a measure; null when it is not one of this system's. */
function passOf(model, name) {
  const vocabulary = model.config.vocab_size;
  const batch = shape.decodeBatch(name);
  if (name === "prefill") {
    const prompts = [shape.tokens(0, shape.PREFILL_TOKENS, vocabulary)];
    return () => timed(shape.PREFILL_TOKENS, shape.PREFILL_TOKENS, () => generate(model, prompts, 1));
  }
  if (batch !== null) {
    const prompts = shape.decodePrompts(batch, vocabulary);
    return async () => {
      const stamps = await generate(model, prompts, shape.DECODE_TOKENS + 1);
      // The prompt itself is the first stamp; the first new token, the second, comes from reading it.
      const tokens = batch * (stamps.length - 2);
      return { ms: stamps.at(-1) - stamps[1], work: tokens, tokens, loss: null };
    };
  }
  if (name === "instances") {
    const prompts = shape.instancePrompts(vocabulary);
    const drawn = { do_sample: true, temperature: 0.9, top_p: 0.95, top_k: 0 };
    const tokens = shape.INSTANCES * shape.INSTANCE_TOKENS;
    return () => timed(shape.INSTANCES, tokens, () => generate(model, prompts, shape.INSTANCE_TOKENS, drawn));
  }
  return null;
}

/** Continues prompts of one length by exactly `count` tokens, and gives the time of each. */
async function generate(model, prompts, count, sampling = { do_sample: false }) {
  const stamps = [];
  const long = (value) => BigInt64Array.from(prompts.flat(), (id) => BigInt(value ?? id));
  const dims = [prompts.length, prompts[0].length];
  await model.generate({
    inputs: new Tensor("int64", long(), dims),
    attention_mask: new Tensor("int64", long(1), dims),
    max_new_tokens: count,
    min_new_tokens: count,
    ...sampling,
    streamer: { put: () => stamps.push(performance.now()), end: () => {} },
  });
  return stamps;
}
