/** jax-js: a LoRA step, loss, gradients and AdamW in one jitted function. It has no way to generate text of its own. */
import { blockUntilReady, defaultDevice, init, jit, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import { countGpu } from "../src/gpu-counters";
import { answer } from "../src/job";
import { BETAS, EPS, freshAdapter, LEARNING_RATE, LORA_SCALE, readLlama, rotations } from "../src/llama";
import { measured, repeat, timed } from "../src/measure";
import { TRAIN_ROWS as ROWS, TRAIN_TOKENS as TOKENS, trainRows } from "../src/work";

const WEIGHT_DECAY = 0.01;
const array = ({ data, shape }) => np.array(data).reshape(shape);

void answer(async (job, outcome) => {
  const counter = countGpu();
  const available = await init(job.device);
  if (!available.includes(job.device)) {
    throw new Error(`jax-js has no device ${job.device} here, only ${available.join(", ")}`);
  }
  defaultDevice(job.device);
  let model;
  const load = async () => {
    model = await readModel(job);
    await blockUntilReady(model.frozen);
  };
  const first = await timed(1, 0, load);
  if (job.measures.includes("load")) {
    // Once: a second copy of the weights would have to be freed by hand.
    outcome.measures.load = { warmup: 0, passes: [first], counters: null };
  }
  if (job.measures.includes("sft-step")) {
    outcome.measures["sft-step"] = await measured(job, counter, () => train(job, model));
  }
});

async function readModel(job) {
  const { llama, weights } = await readLlama(job);
  const frozen = {};
  for (const [name, weight] of weights) {
    frozen[name] = array(weight);
  }
  const { cos, sin } = rotations(llama, TOKENS);
  frozen.cos = np.array(cos).reshape([1, TOKENS, 1, llama.headSize]);
  frozen.sin = np.array(sin).reshape([1, TOKENS, 1, llama.headSize]);
  const adapter = {};
  for (const [name, { a, b }] of freshAdapter(llama, weights)) {
    adapter[`${name}.a`] = array(a);
    adapter[`${name}.b`] = array(b);
  }
  return { llama, frozen, adapter };
}

/**
 * The mean loss of the rows. Arrays of jax-js are counted by hand: a use takes the array, `.ref` keeps it for one more.
 * `weight` and `factor` keep theirs, and both trees are let go at the end.
 */
function lossOf(llama) {
  const { heads, kvHeads, headSize, hidden, layers, eps, vocabulary } = llama;
  return (adapter, frozen, ids, targets, mask) => {
    const weight = (name) => frozen[name].ref;
    const factor = (name) => adapter[name].ref;
    const linear = (x, name) => {
      const own = np.matmul(x.ref, weight(`${name}.weight`).transpose());
      const low = np.matmul(x, factor(`${name}.a`).transpose());
      return own.add(np.matmul(low, factor(`${name}.b`).transpose()).mul(LORA_SCALE));
    };
    const norm = (x, name) => {
      const mean = np.mean(np.square(x.ref), -1, { keepdims: true });
      return x.div(np.sqrt(mean.add(eps))).mul(weight(`${name}.weight`));
    };
    const rotated = (x) => {
      const [left, right] = np.split(x.ref, 2, 3);
      return x.mul(weight("cos")).add(np.concatenate([right.neg(), left], 3).mul(weight("sin")));
    };
    let x = np.take(weight("model.embed_tokens.weight"), ids, 0).reshape([ROWS * TOKENS, hidden]);
    for (let layer = 0; layer < layers; layer += 1) {
      const at = `model.layers.${layer}`;
      const normed = norm(x.ref, `${at}.input_layernorm`);
      const query = linear(normed.ref, `${at}.self_attn.q_proj`).reshape([ROWS, TOKENS, heads, headSize]);
      const key = linear(normed.ref, `${at}.self_attn.k_proj`).reshape([ROWS, TOKENS, kvHeads, headSize]);
      const value = linear(normed, `${at}.self_attn.v_proj`).reshape([ROWS, TOKENS, kvHeads, headSize]);
      const seen = nn.dotProductAttention(rotated(query), rotated(key), value, { isCausal: true });
      x = x.add(linear(seen.reshape([ROWS * TOKENS, heads * headSize]), `${at}.self_attn.o_proj`));
      const inner = norm(x.ref, `${at}.post_attention_layernorm`);
      const gate = nn.silu(linear(inner.ref, `${at}.mlp.gate_proj`));
      x = x.add(linear(gate.mul(linear(inner, `${at}.mlp.up_proj`)), `${at}.mlp.down_proj`));
    }
    const head = "lm_head.weight" in frozen ? "lm_head.weight" : "model.embed_tokens.weight";
    const scores = np.matmul(norm(x, "model.norm"), weight(head).transpose());
    const chosen = nn.logSoftmax(scores, -1).mul(nn.oneHot(targets, vocabulary)).sum(-1);
    const loss = chosen.mul(mask.ref).sum().neg().div(mask.sum());
    tree.dispose(adapter);
    tree.dispose(frozen);
    return loss;
  };
}

function newStep(llama) {
  const loss = lossOf(llama);
  const [beta1, beta2] = BETAS;
  return jit((adapter, mean, variance, step, frozen, ids, targets, mask) => {
    const [value, grads] = valueAndGrad(loss)(tree.ref(adapter), frozen, ids, targets, mask);
    const next = { adapter: {}, mean: {}, variance: {} };
    const correct1 = np.array(1).sub(np.power(beta1, step.ref));
    const correct2 = np.array(1).sub(np.power(beta2, step));
    for (const name of Object.keys(adapter)) {
      const m = mean[name].mul(beta1).add(grads[name].ref.mul(1 - beta1));
      const v = variance[name].mul(beta2).add(np.square(grads[name]).mul(1 - beta2));
      const divisor = np.sqrt(v.ref.div(correct2.ref)).add(EPS);
      const change = m.ref.div(correct1.ref).div(divisor);
      next.adapter[name] = adapter[name].mul(1 - LEARNING_RATE * WEIGHT_DECAY).sub(change.mul(LEARNING_RATE));
      next.mean[name] = m;
      next.variance[name] = v;
    }
    correct1.dispose();
    correct2.dispose();
    return [value, next];
  });
}

async function train(job, { llama, frozen, adapter }) {
  const rows = trainRows(llama.vocabulary);
  const batch = [rows.ids, rows.targets, rows.mask].map((values) => np.array(values));
  const zeros = () => Object.fromEntries(Object.keys(adapter).map((name) => [name, np.zeros(adapter[name].shape)]));
  const step = newStep(llama);
  let state = { adapter, mean: zeros(), variance: zeros() };
  return repeat(job, async (index) => {
    let loss;
    const pass = await timed(1, ROWS * TOKENS, async () => {
      const { adapter, mean, variance } = state;
      let value;
      [value, state] = step(
        adapter, mean, variance, np.array(index + 1), tree.ref(frozen), ...batch.map((one) => one.ref),
      );
      await blockUntilReady(state);
      [loss] = await value.data();
    });
    return { ...pass, loss };
  });
}
