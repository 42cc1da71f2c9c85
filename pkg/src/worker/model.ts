/** Fetches a model's files, with progress. */
import type { ModelFiles } from "../protocol";
import { CodedError } from "./failure";
import { blobFile, type EngineFile } from "./models/bytes";

export type OnLoading = (part: string, done: number, total: number | null) => void;
/** A file has arrived whole. */
export type OnArrived = (url: string, bytes: number) => void;

/** The files of a model that the page has beside itself, in the hub's layout. */
export function bundledFiles(base: string, name: string): ModelFiles {
  const file = (part: string) => new URL(`models/${name}/${part}`, base).href;
  return { name, config: file("config.json"), tokenizer: file("tokenizer.json"), weights: file("model.safetensors") };
}

/** How a fetch is told of, and given up. */
export interface Fetching {
  onLoading: OnLoading;
  onArrived: OnArrived;
  signal: AbortSignal;
}

export async function fetchModel(files: ModelFiles, fetching: Fetching): Promise<EngineFile[]> {
  const [config, tokenizer] = await Promise.all([
    fetchFile("config.json", files.config, fetching),
    fetchFile("tokenizer.json", files.tokenizer, fetching),
  ]);
  const weights = await fetchFile("model.safetensors", files.weights, fetching, (done, total) => fetching.onLoading("model", done, total));
  return [config, tokenizer, weights];
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
