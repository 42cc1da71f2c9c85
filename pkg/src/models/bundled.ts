/** The models that come with the page. */
import type { Dtype } from "./types";

export interface BundledModel {
  name: string;
  about: string;
  /** Its files beside the page, the weights last. */
  files: readonly string[];
  dtype: Dtype;
}

/** The small one: small enough to be kept for use without a network, and in plain numbers. */
export const BUNDLED_MODEL = "seedbed-3m";

export const BUNDLED_MODELS: readonly BundledModel[] = [
  {
    name: BUNDLED_MODEL,
    about: "3 million parameters, comes with the page; for seeing the method at work",
    files: ["config.json", "tokenizer.json", "model.safetensors"],
    dtype: "f32",
  },
  {
    name: "seedbed-28m",
    about: "28 million parameters, comes with the page too (20 MB, fetched when it is first used); labels better, takes several times as long",
    files: ["seedbed-28m.gguf"],
    dtype: "stored",
  },
];

/** The model of that name, if it comes with the page. */
export function bundledModel(name: string): BundledModel | null {
  return BUNDLED_MODELS.find((model) => model.name === name) ?? null;
}
