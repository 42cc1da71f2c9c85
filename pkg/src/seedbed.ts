/** Loading a student. */
import { SeedbedError } from "./errors";
import type { ModelFiles } from "./protocol";
import { type LoadOptions, Student } from "./student";

/**
 * Where the model comes from: `bundled`, the small one that comes with the package; a repository of the hub; or files of the
 * visitor's own (`config.json`, `tokenizer.json`, safetensors, or one GGUF file). Only `bundled` works so far: the others are
 * refused with the code `unsupported`.
 */
export type ModelSource = "bundled" | { hub: string; revision?: string } | readonly File[];

/** Loads a model in a worker of its own and gives the student that is built on it. */
async function load(source: ModelSource, options: LoadOptions = {}): Promise<Student> {
  return Student.load(filesOf(source), options, startWorker);
}

function filesOf(source: ModelSource): ModelFiles {
  if (source === "bundled") {
    // Each address in full: bundlers find files by exactly this form. Vite would put a small file into the code as a
    // `data:` address, which a strict Content-Security-Policy refuses.
    return {
      name: "seedbed-3m",
      config: new URL("./models/seedbed-3m/config.json?no-inline", import.meta.url).href,
      tokenizer: new URL("./models/seedbed-3m/tokenizer.json", import.meta.url).href,
      weights: new URL("./models/seedbed-3m/model.safetensors", import.meta.url).href,
    };
  }
  const what = "hub" in source ? `a model of the hub (${source.hub})` : "a model out of files";
  throw new SeedbedError("unsupported", `This version loads the bundled model only, not ${what}.`);
}

function startWorker(): Worker {
  return new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "seedbed" });
}

/** The door of the package. */
export const Seedbed = { load } as const;
