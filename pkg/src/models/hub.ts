/** What a repository of the model hub holds, and which of its files a model needs. It does no network. */
import type { ModelPart } from "./types";

/** The one foreign host that the page may ask, and only for models; the page's Content-Security-Policy names it too. */
export const HUB = "https://huggingface.co";

export interface Repository {
  name: string;
  revision: string;
}

export interface Listing {
  commit: string;
  files: ModelPart[];
}

const PLAIN = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$/;

/** Reads `owner/name` or `owner/name@revision`; `null` when it is neither. */
export function parseRepository(text: string): Repository | null {
  const [name = "", revision = "main", ...more] = text.trim().replace(`${HUB}/`, "").split("@");
  const parts = name.split("/");
  const plain = parts.length === 2 && more.length === 0 && [...parts, revision].every((part) => PLAIN.test(part));
  return plain ? { name, revision } : null;
}

export function listingUrl({ name, revision }: Repository): string {
  return `${HUB}/api/models/${name}/revision/${revision}?blobs=true`;
}

/** The commit is pinned, so that a download can be continued another day. */
export function fileUrl(name: string, commit: string, file: string): string {
  return `${HUB}/${name}/resolve/${commit}/${file}`;
}

/** The files at the top of a repository, as the hub lists them; `null` when the answer is no listing. */
export function readListing(answer: unknown): Listing | null {
  if (!isRecord(answer) || typeof answer["sha"] !== "string" || !/^[0-9a-f]+$/i.test(answer["sha"]) || !Array.isArray(answer["siblings"])) {
    return null;
  }
  const files = answer["siblings"].flatMap((file: unknown): ModelPart[] => {
    // A name becomes a file here: nothing that could leave the folder.
    if (!isRecord(file) || typeof file["rfilename"] !== "string" || !/^[^./\\:][^/\\:]*$/.test(file["rfilename"])) {
      return [];
    }
    const large = isRecord(file["lfs"]) ? file["lfs"] : {};
    const size = typeof large["size"] === "number" ? large["size"] : file["size"];
    const sha256 = typeof large["sha256"] === "string" && /^[0-9a-f]{64}$/i.test(large["sha256"]) ? large["sha256"].toLowerCase() : null;
    return [{ name: file["rfilename"], size: typeof size === "number" && size >= 0 ? size : 0, sha256, published: sha256 !== null }];
  });
  return { commit: answer["sha"].toLowerCase(), files };
}

/** Beside the weights, and whether a model cannot do without. */
const BESIDE: readonly [string, boolean][] = [
  ["config.json", true],
  ["tokenizer.json", true],
  ["tokenizer_config.json", false],
  ["generation_config.json", false],
  ["chat_template.jinja", false],
];

/**
 * The files that a model needs: safetensors with what stands beside them, else the one GGUF file. Of several GGUF files one
 * must be chosen.
 */
export function neededFiles(files: readonly ModelPart[], chosen: string | null): ModelPart[] | { choices: string[] } {
  const find = (name: string) => files.find((file) => file.name === name);
  const gguf = files.filter((file) => file.name.endsWith(".gguf"));
  if (chosen !== null) {
    return gguf.filter((file) => file.name === chosen);
  }
  const single = find("model.safetensors");
  const index = find("model.safetensors.index.json");
  const shards = files.filter((file) => /^model-.*\.safetensors$/.test(file.name));
  const weights = single !== undefined ? [single] : index !== undefined ? [index, ...shards] : [];
  if (weights.length > 0 && BESIDE.every(([name, needed]) => !needed || find(name) !== undefined)) {
    return [...BESIDE.flatMap(([name]) => find(name) ?? []), ...weights];
  }
  return gguf.length > 1 ? { choices: gguf.map((file) => file.name) } : gguf;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
