/** Models on their way into the tab: out of files, off the hub, out of storage; and what is known of each. */
import { HUB, fileUrl, listingUrl, neededFiles, parseRepository, readListing } from "../../models/hub";
import { bytesOf, type LookedUp, type ModelPart, type ModelPlan, type ModelShape, type Shelf, type StoredModel } from "../../models/types";
import { CodedError, toFailure } from "../failure";
import { blobFile, type EngineFile, headOf } from "./bytes";
import { ask, type OnAsked, stopped } from "./network";
import { hashOf, Sink } from "./sink";
import { beginModel, completeModel, deleteModel, fileIn, isThere, listModels, modelFiles } from "./store";

export interface Hooks {
  asked: OnAsked;
  progress(done: number, total: number): void;
  /** The storage is full, or closed to the page. */
  notice(message: string): void;
  describe(files: EngineFile[]): ModelShape;
}

/** A module's memory ends here, whatever the machine has. */
const WASM_LIMIT = 4e9;
/** As much of a GGUF file as says what it holds: vocabularies take a few megabytes. */
const HEAD = 16 << 20;
/** Copied at once. */
const PIECE = 4 << 20;

export class Models {
  private readonly plans = new Map<string, ModelPlan>();
  /** The visitor's own files, and models for which there was no room. */
  private readonly blobs = new Map<string, Map<string, Blob>>();
  private readonly held = new Map<string, StoredModel>();
  private abort: AbortController | null = null;

  constructor(private readonly hooks: Hooks) {}

  async shelf(): Promise<Shelf> {
    const { stored, unfinished } = await listModels();
    return { stored: [...stored, ...this.held.values()], unfinished, limit: memoryLimit() };
  }

  /** What files of the visitor's are; nothing is copied yet. */
  ofFiles(files: readonly File[]): ModelPlan {
    const useful = files.filter((file) => /\.(gguf|json|jinja|safetensors)$/.test(file.name));
    const [first] = useful;
    if (first === undefined) {
      const names = files.slice(0, 3).map((file) => file.name);
      throw new CodedError("bad_model", `${names.join(", ") || "Nothing"}: this is no model. Choose one .gguf file, or a folder with config.json, tokenizer.json and model.safetensors.`);
    }
    const shape = this.hooks.describe(useful.map((file) => blobFile(file.name, file)));
    const folder = first.webkitRelativePath.split("/").at(-2);
    const name = folder ?? (useful.length === 1 ? first.name.replace(/\.gguf$/, "") : "A model of your files");
    const parts = useful.map((file): ModelPart => ({ name: file.name, size: file.size, sha256: null, published: false }));
    const id = folderName(`file--${name}@${bytesOf({ files: parts })}`);
    const plan: ModelPlan = { id, name, origin: { kind: "file" }, files: parts, shape };
    this.plans.set(id, plan);
    this.blobs.set(id, new Map(useful.map((file) => [file.name, file])));
    return plan;
  }

  /** What a repository of the hub holds. Only its list and its description are fetched. */
  async lookUp(text: string, chosen: string | null): Promise<LookedUp> {
    const repository = parseRepository(text);
    if (repository === null) {
      throw new CodedError("download", `“${text}” is no model's name; write owner/name, or owner/name@revision.`);
    }
    const answer: unknown = await (await ask(listingUrl(repository), repository.name, null, null, this.hooks.asked)).json().catch(() => null);
    const listing = readListing(answer);
    if (listing === null) {
      throw new CodedError("download", `${new URL(HUB).host} answered something else than a list of files for ${repository.name}; try again later.`);
    }
    const files = neededFiles(listing.files, chosen);
    if ("choices" in files) {
      return files;
    }
    if (files.length === 0) {
      throw new CodedError("bad_model", `${repository.name} holds neither safetensors with config.json and tokenizer.json nor a GGUF file; other formats are not read.`);
    }
    const { commit } = listing;
    const gguf = files.length === 1 ? `--${files[0]?.name ?? ""}` : "";
    const plan: ModelPlan = {
      id: folderName(`${repository.name}${gguf}@${commit.slice(0, 12)}`),
      name: gguf === "" ? repository.name : `${repository.name}, ${files[0]?.name ?? ""}`,
      origin: { kind: "hub", repository: repository.name, revision: repository.revision, commit },
      files,
      shape: await this.shapeOnHub(repository.name, commit, files),
    };
    this.plans.set(plan.id, plan);
    return { plan };
  }

  private async shapeOnHub(name: string, commit: string, files: readonly ModelPart[]): Promise<ModelShape | null> {
    const file = files.find((part) => part.name === "config.json") ?? files[0];
    if (file === undefined) {
      return null;
    }
    const last = Math.min(HEAD, file.size) - 1;
    const response = await ask(fileUrl(name, commit, file.name), file.name, file.name.endsWith(".gguf") ? `0-${last}` : null, null, this.hooks.asked);
    const head = await firstBytes(response, last + 1);
    return this.hooks.describe([headOf(file.name, file.size, head)]);
  }

  /** Fetches or copies a model; a download that was begun goes on where it was. */
  async keep(id: string): Promise<StoredModel> {
    const plan = this.plans.get(id) ?? (await listModels()).unfinished.find((unfinished) => unfinished.id === id);
    if (plan === undefined) {
      throw new CodedError("bad_model", "This model is no longer known here; choose it again.");
    }
    if (this.abort !== null) {
      throw new CodedError("busy", "Another model is on its way; wait for it, or stop it.");
    }
    this.abort = new AbortController();
    try {
      return await this.fill(plan, this.abort.signal);
    } finally {
      this.abort = null;
    }
  }

  stop(): void {
    this.abort?.abort();
  }

  private async fill(plan: ModelPlan, signal: AbortSignal): Promise<StoredModel> {
    const own = this.blobs.get(plan.id);
    if (own !== undefined) {
      // Nobody can say whether what lies there under these names is the same.
      await deleteModel(plan.id).catch(() => undefined);
    }
    let folder = await beginModel(plan).catch((thrown: unknown) => {
      this.sayMemory(toFailure(thrown).message);
      return null;
    });
    const total = bytesOf(plan);
    const files: ModelPart[] = [];
    const inMemory = new Map<string, Blob>();
    let before = 0;
    for (const part of plan.files) {
      const progress = (done: number) => this.hooks.progress(before + done, total);
      if (folder !== null && (await isThere(folder, part.name))) {
        // Checked when it was renamed; its hash is counted again, as it stands nowhere yet.
        files.push({ ...part, sha256: part.sha256 ?? (await hashOf(await fileIn(folder, part.name))) });
      } else {
        const sink = await Sink.open(folder, part.name);
        const blob = own?.get(part.name);
        try {
          await (blob === undefined ? this.download(plan, part, sink, signal, progress) : copy(blob, sink, signal, progress));
          files.push(await this.verified(part, sink));
          const bytes = await sink.finish();
          if (bytes !== null) {
            inMemory.set(part.name, blob ?? bytes);
          }
        } finally {
          sink.close();
        }
        if (inMemory.size > 0 && folder !== null) {
          this.sayMemory("it is full");
          // What is in storage already is a blob as well, but the folder must go.
          for (const done of files.filter((file) => !inMemory.has(file.name))) {
            inMemory.set(done.name, own?.get(done.name) ?? new Blob([await (await fileIn(folder, done.name)).arrayBuffer()]));
          }
          await deleteModel(plan.id).catch(() => undefined);
          folder = null;
        }
      }
      before += part.size;
    }
    return this.complete(plan, files, folder, inMemory);
  }

  private async complete(plan: ModelPlan, files: ModelPart[], folder: FileSystemDirectoryHandle | null, inMemory: Map<string, Blob>): Promise<StoredModel> {
    const model: StoredModel = { ...plan, files, kept: new Date().toISOString(), where: folder === null ? "memory" : "storage" };
    if (folder === null) {
      this.blobs.set(plan.id, inMemory);
      this.held.set(plan.id, model);
    } else {
      const there = await Promise.all(files.map(async (part) => blobFile(part.name, await fileIn(folder, part.name))));
      model.shape ??= this.hooks.describe(there);
      await completeModel(folder, model);
      this.blobs.delete(plan.id);
    }
    this.plans.delete(plan.id);
    return model;
  }

  private async download(plan: ModelPlan, part: ModelPart, sink: Sink, signal: AbortSignal, progress: (done: number) => void): Promise<void> {
    const { origin } = plan;
    if (origin.kind !== "hub") {
      throw new CodedError("bad_model", `${plan.name} was copied out of files that are no longer open; choose them again.`);
    }
    if (sink.length > part.size) {
      sink.restart();
    }
    progress(sink.length);
    if (sink.length === part.size && part.size > 0) {
      return;
    }
    const from = sink.length;
    const response = await ask(fileUrl(origin.repository, origin.commit, part.name), part.name, from > 0 ? `${from}-` : null, signal, this.hooks.asked);
    const place = response.headers.get("content-range");
    if (response.status === 416 || response.body === null || (place !== null && !place.startsWith(`bytes ${from}-`))) {
      sink.restart();
      throw new CodedError("download", `The hub sent another part of ${part.name} than was asked for; try again, the file begins anew.`);
    }
    if (response.status !== 206) {
      // The server sends all of it.
      sink.restart();
    }
    try {
      for await (const chunk of response.body) {
        await sink.write(chunk as Uint8Array<ArrayBuffer>);
        progress(sink.length);
      }
    } catch (thrown) {
      throw signal.aborted ? stopped() : new CodedError("download", `The line broke after ${sink.length} bytes of ${part.name} (${toFailure(thrown).message}); continue it, what has arrived is kept.`);
    }
  }

  private async verified(part: ModelPart, sink: Sink): Promise<ModelPart> {
    if (sink.length < part.size) {
      throw new CodedError("download", `${part.name} ended after ${sink.length} of ${part.size} bytes; continue it, what has arrived is kept.`);
    }
    const sha256 = sink.digest();
    if (sink.length > part.size || (part.sha256 !== null && part.sha256 !== sha256)) {
      sink.restart();
      throw new CodedError("download", `${part.name} is not what the hub lists (${sink.length} bytes, SHA-256 ${sha256.slice(0, 12)}…); it was thrown away, try again.`);
    }
    return { ...part, sha256 };
  }

  private sayMemory(why: string): void {
    this.hooks.notice(`This browser's storage for the page cannot take the model (${why}), so it is kept in memory until the page is closed; delete stored models to make room.`);
  }

  async forget(id: string): Promise<void> {
    this.plans.delete(id);
    this.blobs.delete(id);
    if (!this.held.delete(id)) {
      await deleteModel(id).catch((thrown: unknown) => {
        throw new CodedError("storage", `This model could not be deleted (${String(thrown)}); close other tabs that use it.`);
      });
    }
  }

  /** The files of a model that is kept, for the engine. */
  async open(id: string): Promise<{ name: string; files: EngineFile[] }> {
    const held = this.held.get(id);
    const blobs = this.blobs.get(id);
    if (held !== undefined && blobs !== undefined) {
      return { name: held.name, files: [...blobs].map(([name, blob]) => blobFile(name, blob)) };
    }
    const model = (await listModels()).stored.find((stored) => stored.id === id);
    if (model === undefined) {
      throw new CodedError("bad_model", "This model is no longer in this browser; choose another under Model, or add it again.");
    }
    return { name: model.name, files: (await modelFiles(model)).map((file) => blobFile(file.name, file)) };
  }
}

/** Half of what the machine says it has, as far as a browser tells. */
function memoryLimit(): number {
  const { deviceMemory } = navigator as { deviceMemory?: number };
  return deviceMemory === undefined ? WASM_LIMIT : Math.min(WASM_LIMIT, (deviceMemory * 1e9) / 2);
}

async function copy(blob: Blob, sink: Sink, signal: AbortSignal, progress: (done: number) => void): Promise<void> {
  for (let at = 0; at < blob.size; at += PIECE) {
    if (signal.aborted) {
      throw stopped();
    }
    await sink.write(new Uint8Array(await blob.slice(at, at + PIECE).arrayBuffer()));
    progress(sink.length);
  }
}

/** As much of an answer as is wanted; a server that does not know ranges sends more. */
async function firstBytes(response: Response, wanted: number): Promise<Uint8Array> {
  const head = new Uint8Array(wanted);
  let length = 0;
  const reader = response.body?.getReader();
  while (reader !== undefined && length < wanted) {
    const { done, value } = await reader.read();
    if (done) {
      break;
    }
    head.set(value.subarray(0, wanted - length), length);
    length += value.byteLength;
  }
  await reader?.cancel().catch(() => undefined);
  return head.subarray(0, Math.min(length, wanted));
}

function folderName(text: string): string {
  return text.replaceAll("/", "--").replace(/[^A-Za-z0-9@._-]+/g, "_").slice(0, 180);
}
