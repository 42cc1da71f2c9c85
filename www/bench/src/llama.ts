/** What the two systems without a model library of their own need to build a Llama: its numbers, weights and adapter. */
import type { Job } from "./job";

export interface Llama {
  vocabulary: number;
  hidden: number;
  layers: number;
  heads: number;
  kvHeads: number;
  headSize: number;
  eps: number;
  ropeTheta: number;
}

export interface Weight {
  shape: number[];
  data: Float32Array;
}

export const RANK = 8;
/** alpha 16 over rank 8. */
export const LORA_SCALE = 2;
export const LEARNING_RATE = 1e-3;
export const BETAS = [0.9, 0.999] as const;
export const EPS = 1e-8;

const LINEARS = [
  "self_attn.q_proj",
  "self_attn.k_proj",
  "self_attn.v_proj",
  "self_attn.o_proj",
  "mlp.gate_proj",
  "mlp.up_proj",
  "mlp.down_proj",
];

async function fetched(address: string): Promise<Response> {
  const response = await fetch(address);
  if (!response.ok) {
    throw new Error(`${address} answered ${response.status}`);
  }
  return response;
}

export async function readLlama(job: Job): Promise<{ llama: Llama; weights: Map<string, Weight> }> {
  const config = await (await fetched(`${job.base}/config.json`)).json();
  const llama: Llama = {
    vocabulary: config.vocab_size,
    hidden: config.hidden_size,
    layers: config.num_hidden_layers,
    heads: config.num_attention_heads,
    kvHeads: config.num_key_value_heads ?? config.num_attention_heads,
    headSize: config.head_dim ?? config.hidden_size / config.num_attention_heads,
    eps: config.rms_norm_eps,
    ropeTheta: config.rope_parameters?.rope_theta ?? config.rope_theta ?? 10_000,
  };
  const weights = safetensors(await (await fetched(`${job.base}/model.safetensors`)).arrayBuffer());
  return { llama, weights };
}

/** Cosines and sines `[tokens, headSize]` of the first positions, the two halves of a head alike. */
export function rotations(llama: Llama, count: number): { cos: Float32Array; sin: Float32Array } {
  const half = llama.headSize / 2;
  const angle = (_: unknown, index: number) => {
    const [place, pair] = [Math.floor(index / llama.headSize), index % half];
    return place * llama.ropeTheta ** (-pair / half);
  };
  const angles = Array.from({ length: count * llama.headSize }, angle);
  return { cos: Float32Array.from(angles, Math.cos), sin: Float32Array.from(angles, Math.sin) };
}

/** A fresh adapter in PEFT's layout, `a [r, in]` and `b [out, r]`: `a` from a small generator, `b` zero. */
export function freshAdapter(llama: Llama, weights: Map<string, Weight>): Map<string, { a: Weight; b: Weight }> {
  let state = 1;
  const uniform = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  };
  const adapter = new Map<string, { a: Weight; b: Weight }>();
  for (let layer = 0; layer < llama.layers; layer += 1) {
    for (const linear of LINEARS) {
      const name = `model.layers.${layer}.${linear}`;
      const [output = 0, input = 0] = weights.get(`${name}.weight`)?.shape ?? [];
      const bound = 1 / Math.sqrt(input);
      adapter.set(name, {
        a: { shape: [RANK, input], data: Float32Array.from({ length: RANK * input }, () => uniform() * bound) },
        b: { shape: [output, RANK], data: new Float32Array(output * RANK) },
      });
    }
  }
  return adapter;
}

/** The tensors of a safetensors file, widened to 32 bits. */
function safetensors(file: ArrayBuffer): Map<string, Weight> {
  const length = Number(new DataView(file).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(file, 8, length))) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const tensors = new Map<string, Weight>();
  for (const [name, { dtype, shape, data_offsets }] of Object.entries(header)) {
    if (name === "__metadata__") {
      continue;
    }
    const bytes = file.slice(8 + length + data_offsets[0], 8 + length + data_offsets[1]);
    if (dtype !== "F32" && dtype !== "F16") {
      throw new Error(`${name} is ${dtype}; only F32 and F16 are read`);
    }
    tensors.set(name, { shape, data: dtype === "F32" ? new Float32Array(bytes) : widened(new Uint16Array(bytes)) });
  }
  return tensors;
}

function widened(halves: Uint16Array): Float32Array {
  return Float32Array.from(halves, (half) => {
    const [sign, exponent, fraction] = [half >> 15 ? -1 : 1, (half >> 10) & 31, half & 1023];
    const value =
      exponent === 0
        ? fraction * 2 ** -24
        : exponent === 31
          ? fraction === 0
            ? Infinity
            : NaN
          : (1 + fraction / 1024) * 2 ** (exponent - 15);
    return sign * value;
  });
}
