/** TensorFlow.js: the same LoRA step by its automatic gradients. Its optimiser is Adam: it has no weight decay. */
import * as tf from "@tensorflow/tfjs";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import "@tensorflow/tfjs-backend-webgpu";
import { countGpu } from "../src/gpu-counters";
import { answer } from "../src/job";
import { BETAS, EPS, freshAdapter, LEARNING_RATE, LORA_SCALE, readLlama, rotations } from "../src/llama";
import { measured, repeat, timed } from "../src/measure";
import { TRAIN_ROWS as ROWS, TRAIN_TOKENS as TOKENS, trainRows } from "../src/work";

void answer(async (job, outcome) => {
  const counter = countGpu();
  setWasmPaths(new URL("../wasm/", location.href).href);
  if (!(await tf.setBackend(job.device))) {
    throw new Error(`TensorFlow.js has no backend ${job.device} here`);
  }
  await tf.ready();
  let model;
  const first = await timed(1, 0, async () => {
    model = await readModel(job);
  });
  if (job.measures.includes("load")) {
    outcome.measures.load = { warmup: 0, passes: [first], counters: null };
  }
  if (job.measures.includes("sft-step")) {
    outcome.measures["sft-step"] = await measured(job, counter, () => train(job, model));
  }
});

async function readModel(job) {
  const { llama, weights } = await readLlama(job);
  const frozen = new Map();
  for (const [name, { data, shape }] of weights) {
    frozen.set(name, tf.tensor(data, shape));
  }
  const adapter = new Map();
  for (const [name, { a, b }] of freshAdapter(llama, weights)) {
    adapter.set(name, { a: tf.variable(tf.tensor(a.data, a.shape)), b: tf.variable(tf.tensor(b.data, b.shape)) });
  }
  return { llama, frozen, adapter };
}

function lossOf({ llama, frozen, adapter }) {
  const { heads, kvHeads, headSize, hidden, layers, eps, vocabulary } = llama;
  const { cos, sin } = rotations(llama, TOKENS);
  const [cosines, sines] = [cos, sin].map((values) => tf.tensor(values, [1, 1, TOKENS, headSize]));
  const later = (_, index) => (index % TOKENS > Math.floor(index / TOKENS) ? -1e9 : 0);
  const causal = tf.tensor(Array.from({ length: TOKENS * TOKENS }, later), [1, 1, TOKENS, TOKENS]);
  const weight = (name) => frozen.get(`${name}.weight`);
  const times = (x, matrix) => tf.matMul(x, matrix, false, true);
  const linear = (x, name) => {
    const { a, b } = adapter.get(name);
    return times(x, weight(name)).add(times(times(x, a), b).mul(LORA_SCALE));
  };
  const norm = (x, name) => x.mul(x.square().mean(-1, true).add(eps).rsqrt()).mul(weight(name));
  const split = (x, count) => x.reshape([ROWS, TOKENS, count, headSize]).transpose([0, 2, 1, 3]);
  const rotated = (x) => {
    const [left, right] = tf.split(x, 2, 3);
    return x.mul(cosines).add(tf.concat([right.neg(), left], 3).mul(sines));
  };
  // `tile` has no gradient for so many dimensions.
  const shared = (x) =>
    kvHeads === heads
      ? x
      : tf.concat(tf.split(x, kvHeads, 1).flatMap((head) => Array(heads / kvHeads).fill(head)), 1);

  return (ids, expected, mask) => {
    let x = tf.gather(weight("model.embed_tokens"), ids).reshape([ROWS * TOKENS, hidden]);
    for (let layer = 0; layer < layers; layer += 1) {
      const at = `model.layers.${layer}`;
      const normed = norm(x, `${at}.input_layernorm`);
      const query = rotated(split(linear(normed, `${at}.self_attn.q_proj`), heads));
      const key = shared(rotated(split(linear(normed, `${at}.self_attn.k_proj`), kvHeads)));
      const value = shared(split(linear(normed, `${at}.self_attn.v_proj`), kvHeads));
      const attention = tf.softmax(times(query, key).div(Math.sqrt(headSize)).add(causal));
      const seen = tf.matMul(attention, value).transpose([0, 2, 1, 3]).reshape([ROWS * TOKENS, heads * headSize]);
      x = x.add(linear(seen, `${at}.self_attn.o_proj`));
      const inner = norm(x, `${at}.post_attention_layernorm`);
      const gate = linear(inner, `${at}.mlp.gate_proj`);
      x = x.add(linear(gate.mul(gate.sigmoid()).mul(linear(inner, `${at}.mlp.up_proj`)), `${at}.mlp.down_proj`));
    }
    const scores = times(norm(x, "model.norm"), weight("lm_head") ?? weight("model.embed_tokens"));
    const chosen = tf.logSoftmax(scores).mul(expected).sum(-1);
    return chosen.mul(mask).sum().neg().div(mask.sum());
  };
}

async function train(job, model) {
  const rows = trainRows(model.llama.vocabulary);
  const ids = tf.tensor(rows.ids, [rows.ids.length], "int32");
  const mask = tf.tensor(rows.mask);
  const expected = tf.tidy(() =>
    tf.oneHot(tf.tensor(rows.targets, [rows.targets.length], "int32"), model.llama.vocabulary).toFloat(),
  );
  const loss = lossOf(model);
  const optimiser = tf.train.adam(LEARNING_RATE, ...BETAS, EPS);
  const variables = [...model.adapter.values()].flatMap(({ a, b }) => [a, b]);
  return repeat(job, async () => {
    let value;
    const pass = await timed(1, ROWS * TOKENS, async () => {
      const scalar = tf.tidy(() => optimiser.minimize(() => loss(ids, expected, mask), true, variables));
      [value] = await scalar.data();
      scalar.dispose();
    });
    return { ...pass, loss: value };
  });
}
