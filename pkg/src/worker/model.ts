/** Fetches a model's files, with progress. */
import type { BundledModel } from "../models/bundled";
import type { ModelFiles } from "../protocol";
import { CodedError } from "./failure";
import { blobFile, type EngineFile } from "./models/bytes";

export type OnLoading = (part: string, done: number, total: number | null) => void;
/** A file has arrived whole. */
export type OnArrived = (url: string, bytes: number) => void;

/** A file's name, and where it is. */
type Address = readonly [string, string];

/** The files of a model that the page has beside itself. */
export function bundledFiles(base: string, { name, files }: BundledModel): Address[] {
  return files.map((file) => [file, new URL(`models/${name}/${file}`, base).href]);
}

/** The files of a model in the hub's layout. */
export function layoutFiles({ config, tokenizer, weights }: ModelFiles): Address[] {
  return [
    ["config.json", config],
    ["tokenizer.json", tokenizer],
    ["model.safetensors", weights],
  ];
}

/** How a fetch is told of, and given up. */
export interface Fetching {
  onLoading: OnLoading;
  onArrived: OnArrived;
  signal: AbortSignal;
}

/** The weights come last, and are told of while they arrive. */
export async function fetchModel(files: readonly Address[], fetching: Fetching): Promise<EngineFile[]> {
  const beside = await Promise.all(files.slice(0, -1).map(([name, address]) => fetchFile(name, address, fetching)));
  const told = (done: number, total: number | null) => fetching.onLoading("model", done, total);
  const weights = await Promise.all(files.slice(-1).map(([name, address]) => fetchFile(name, address, fetching, told)));
  return [...beside, ...weights];
}

async function fetchFile(
  name: string,
  address: string,
  { onArrived, signal }: Fetching,
  onBytes?: (done: number, total: number | null) => void,
): Promise<EngineFile> {
  const url = new URL(address);
  const response = await fetch(url, { signal }).catch((thrown: unknown) => {
    if (signal.aborted) {
      throw new CodedError("cancelled", "Stopped before the model was there.");
    }
    throw new CodedError("bad_model", `${url.pathname} could not be fetched (${String(thrown)}); is the server still there?`);
  });
  if (!response.ok || response.body === null) {
    throw new CodedError("bad_model", `${url.pathname} could not be fetched (status ${response.status}); the model files must lie beside the page.`);
  }
  // A compressed body's length is not that of what arrives here, so it is no total to count against.
  const length = response.headers.has("content-encoding") ? null : Number(response.headers.get("content-length"));
  const chunks: BlobPart[] = [];
  let done = 0;
  for await (const chunk of response.body) {
    chunks.push(chunk as Uint8Array<ArrayBuffer>);
    done += chunk.byteLength;
    onBytes?.(done, length !== null && length > 0 ? length : null);
  }
  onArrived(url.href, done);
  return blobFile(name, new Blob(chunks));
}
