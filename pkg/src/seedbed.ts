/** Loading a student. */
import type { LoadSource, ModelFiles } from "./protocol";
import { type LoadOptions, Student } from "./student";

/**
 * Where the model comes from: `bundled`, the small one that comes with the package; files of the visitor's own (`config.json`,
 * `tokenizer.json`, safetensors; or one GGUF file), which are only read; or a repository of the hub, whose files are fetched from
 * there and kept in this browser's storage. `file` chooses among several GGUF files of a repository.
 */
export type ModelSource = "bundled" | { hub: string; revision?: string; file?: string } | readonly File[];

/** Loads a model in a worker of its own and gives the student that is built on it. */
async function load(source: ModelSource, options: LoadOptions = {}): Promise<Student> {
  return Student.load(sourceOf(source), options, startWorker);
}

function sourceOf(source: ModelSource): LoadSource {
  if (source === "bundled") {
    return { kind: "addresses", files: bundled() };
  }
  if ("hub" in source) {
    const repository = source.revision === undefined ? source.hub : `${source.hub}@${source.revision}`;
    return { kind: "hub", repository, file: source.file ?? null };
  }
  return { kind: "files", files: [...source] };
}

function bundled(): ModelFiles {
  // Each address in full: bundlers find files by exactly this form. Vite would put a small file into the code as a
  // `data:` address, which a strict Content-Security-Policy refuses.
  return {
    name: "seedbed-3m",
    config: new URL("./models/seedbed-3m/config.json?no-inline", import.meta.url).href,
    tokenizer: new URL("./models/seedbed-3m/tokenizer.json", import.meta.url).href,
    weights: new URL("./models/seedbed-3m/model.safetensors", import.meta.url).href,
  };
}

function startWorker(): Worker {
  return new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "seedbed" });
}

/** The door of the package. */
export const Seedbed = { load } as const;
