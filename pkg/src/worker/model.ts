/** Fetches a bundled model, with progress, from the page's own origin. */
import { CodedError } from "./failure";

export interface ModelFiles {
  config: Uint8Array;
  tokenizer: Uint8Array;
  weights: Uint8Array;
}

export type OnLoading = (part: string, done: number, total: number | null) => void;

export async function fetchModel(base: string, name: string, onLoading: OnLoading): Promise<ModelFiles> {
  const folder = new URL(`models/${name}/`, base);
  const [config, tokenizer] = await Promise.all([
    fetchBytes(new URL("config.json", folder)),
    fetchBytes(new URL("tokenizer.json", folder)),
  ]);
  const weights = await fetchBytes(new URL("model.safetensors", folder), (done, total) =>
    onLoading("model", done, total),
  );
  return { config, tokenizer, weights };
}

async function fetchBytes(url: URL, onBytes?: (done: number, total: number | null) => void): Promise<Uint8Array> {
  const response = await fetch(url).catch((thrown: unknown) => {
    throw new CodedError("bad_model", `${url.pathname} could not be fetched (${String(thrown)}); is the server still there?`);
  });
  if (!response.ok || response.body === null) {
    throw new CodedError("bad_model", `${url.pathname} could not be fetched (status ${response.status}); build the page with its model files.`);
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
