/** Fetches a bundled model, with progress, from the page's own origin. */
import { CodedError } from "./failure";
import { blobFile, type EngineFile } from "./models/bytes";

export type OnLoading = (part: string, done: number, total: number | null) => void;
/** A file has arrived whole. */
export type OnArrived = (url: string, bytes: number) => void;

export async function fetchModel(base: string, name: string, onLoading: OnLoading, onArrived: OnArrived): Promise<EngineFile[]> {
  const folder = new URL(`models/${name}/`, base);
  const [config, tokenizer] = await Promise.all([
    fetchFile(folder, "config.json", onArrived),
    fetchFile(folder, "tokenizer.json", onArrived),
  ]);
  const weights = await fetchFile(folder, "model.safetensors", onArrived, (done, total) => onLoading("model", done, total));
  return [config, tokenizer, weights];
}

async function fetchFile(folder: URL, name: string, onArrived: OnArrived, onBytes?: (done: number, total: number | null) => void): Promise<EngineFile> {
  const url = new URL(name, folder);
  const response = await fetch(url).catch((thrown: unknown) => {
    throw new CodedError("bad_model", `${url.pathname} could not be fetched (${String(thrown)}); is the server still there?`);
  });
  if (!response.ok || response.body === null) {
    throw new CodedError("bad_model", `${url.pathname} could not be fetched (status ${response.status}); build the page with its model files.`);
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
