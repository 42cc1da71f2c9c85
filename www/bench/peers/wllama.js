/**
 * wllama, llama.cpp in wasm: reading, decoding and instances, with llama.cpp's own clock. It cannot train. `variant` is
 * the quantisation. It takes text only, so its prompts are words, and the tokens are those it reports.
 */
import { Wllama } from "@wllama/wllama";
import { answer } from "../src/job";
import { measured, repeat, timed } from "../src/measure";
import * as shape from "../src/work";

const WORDS = "the table of rows has a name and value for each line that was read from file in order to return it ".split(" ");

void answer(async (job, outcome) => {
  const take = async (names, slots) => {
    const wanted = names.filter((name) => job.measures.includes(name));
    if (wanted.length === 0) {
      return;
    }
    let engine = null;
    const load = async () => {
      await engine?.exit();
      engine = await open(job, slots);
    };
    if (wanted.includes("load")) {
      outcome.measures.load = await measured(job, null, () => repeat(job, () => timed(1, 0, load)));
    } else {
      await load();
    }
    outcome.set_up = { quantisation: job.variant, threads: engine.getNumThreads(), isolated: crossOriginIsolated };
    for (const name of wanted.filter((name) => name !== "load")) {
      outcome.measures[name] = await measured(job, null, () => repeat(job, passOf(engine, name)));
    }
    await engine.exit();
  };
  // How many sequences there are at once is chosen when the model is loaded.
  await take(["load", "prefill", "decode-1"], 1);
  await take(["decode-8"], 8);
  await take(["decode-64", "instances"], 64);
});

async function open(job, slots) {
  const quiet = () => {};
  const wasm = new URL("../wasm/wllama.wasm", location.href).href;
  const engine = new Wllama({ default: wasm }, { logger: { debug: quiet, log: quiet, warn: quiet, error: quiet } });
  const response = await fetch(`${job.base}/gguf/model-${job.variant}.gguf`);
  if (!response.ok) {
    throw new Error(`${response.url} answered ${response.status}`);
  }
  await engine.loadModel([await response.blob()], {
    n_ctx: 512 * slots,
    n_batch: 512,
    n_ubatch: 512,
    n_gpu_layers: job.device === "webgpu" ? 99 : 0,
    n_threads: job.threads,
    n_parallel: slots,
    cont_batching: true,
    kv_unified: false,
    jinja: false,
  });
  return engine;
}

/** Another text for each row, from its first word on. */
function text(row, words) {
  const word = (place) => WORDS[(row * 7 + place * (1 + (row % 3))) % WORDS.length];
  return `${row} ${Array.from({ length: words }, (_, place) => word(place)).join(" ")}`;
}

function complete(engine, prompt, count, more = {}) {
  return engine.createCompletion({
    prompt, max_tokens: count, temperature: 0, top_k: 1, ignore_eos: true, cache_prompt: false, stream: false, ...more,
  });
}

function passOf(engine, name) {
  const batch = shape.decodeBatch(name);
  if (name === "prefill") {
    return async (index) => {
      const { timings } = await complete(engine, text(index, 245), 1);
      return { ms: timings.prompt_ms, work: timings.prompt_n, tokens: timings.prompt_n, loss: null };
    };
  }
  if (batch !== null) {
    return async () => {
      const prompts = Array.from({ length: batch }, (_, row) => text(row, 60));
      const all = await Promise.all(prompts.map((prompt) => complete(engine, prompt, shape.DECODE_TOKENS + 1)));
      // llama.cpp's clock of a slot begins at its first new token; slots run together, so the slowest is the time.
      const tokens = all.reduce((sum, { timings }) => sum + timings.predicted_n - 1, 0);
      return { ms: Math.max(...all.map(({ timings }) => timings.predicted_ms)), work: tokens, tokens, loss: null };
    };
  }
  const shared = text(0, 190);
  const drawn = { temperature: 0.9, top_k: 0, top_p: 0.95, cache_prompt: true };
  return () =>
    timed(shape.INSTANCES, shape.INSTANCES * shape.INSTANCE_TOKENS, () =>
      Promise.all(
        Array.from({ length: shape.INSTANCES }, (_, row) =>
          complete(engine, `${shared} ${text(row + 1, 3)}`, shape.INSTANCE_TOKENS, drawn),
        ),
      ),
    );
}
