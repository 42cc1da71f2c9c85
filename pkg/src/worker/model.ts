/** Fetches a model's files, with progress. */
import type { ModelFiles } from "../protocol";
import { CodedError } from "./failure";

export interface ModelBytes {
  config: Uint8Array;
  tokenizer: Uint8Array;
  weights: Uint8Array;
}

export type OnLoading = (part: string, done: number, total: number | null) => void;

/** The files of a model that the page has beside itself, in the hub's layout. */
export function bundledFiles(base: string, name: string): ModelFiles {
  const file = (part: string) => new URL(`models/${name}/${part}`, base).href;
  return { name, config: file("config.json"), tokenizer: file("tokenizer.json"), weights: file("model.safetensors") };
}

export async function fetchModel(files: ModelFiles, onLoading: OnLoading, signal: AbortSignal): Promise<ModelBytes> {
  const [config, tokenizer] = await Promise.all([
    fetchBytes(new URL(files.config), signal),
    fetchBytes(new URL(files.tokenizer), signal),
  ]);
  const weights = await fetchBytes(new URL(files.weights), signal, (done, total) => onLoading("model", done, total));
  return { config, tokenizer, weights };
}

async function fetchBytes(url: URL, signal: AbortSignal, onBytes?: (done: number, total: number | null) => void): Promise<Uint8Array> {
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
  const chunks: Uint8Array[] = [];
  let done = 0;
  for await (const chunk of response.body) {
    chunks.push(chunk);
    done += chunk.byteLength;
    onBytes?.(done, length !== null && length > 0 ? length : null);
  }
  return join(chunks, done);
}

function join(chunks: Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}
