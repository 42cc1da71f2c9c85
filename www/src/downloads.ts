/** Files that the visitor takes along. */
import { strToU8, Zip, ZipPassThrough, zipSync } from "fflate";
import type { InstanceWritten } from "#seedbed/events";
import { type Edits, kept } from "./instances/edits";
import type { AdapterFiles } from "#seedbed/protocol";

export function adapterZip(adapter: AdapterFiles): Blob {
  const zip = zipSync({
    "adapter_config.json": strToU8(adapter.config),
    "adapter_model.safetensors": [adapter.weights, { level: 0 }],
  });
  return new Blob([new Uint8Array(zip)], { type: "application/zip" });
}

/** Files as they are in one zip. They are read piece by piece, and what is done is handed to the browser: a model may be larger than a page's memory. */
export async function filesZip(files: readonly { name: string; data: Blob }[]): Promise<Blob> {
  const done: Blob[] = [];
  let failed: Error | null = null;
  const zip = new Zip((error, piece) => {
    failed ??= error;
    done.push(new Blob([new Uint8Array(piece)]));
  });
  for (const { name, data } of files) {
    const entry = new ZipPassThrough(name);
    zip.add(entry);
    const pieces = data.stream().getReader();
    for (let piece = await pieces.read(); !piece.done; piece = await pieces.read()) {
      entry.push(piece.value);
    }
    entry.push(new Uint8Array(), true);
  }
  zip.end();
  if (failed !== null) {
    throw failed;
  }
  return new Blob(done, { type: "application/zip" });
}

export function dataZip(instances: string, card: string): Blob {
  const zip = zipSync({ "README.md": strToU8(card), "instances.jsonl": strToU8(instances) });
  return new Blob([new Uint8Array(zip)], { type: "application/zip" });
}

/** The instances as the page saw them, with the visitor's changes; each line says whether it was changed. */
export function instancesFromEvents(instances: readonly InstanceWritten[], edits: Edits): string {
  return kept(instances, edits)
    .map(({ text, label, answer, entities, context, accepted, reason, refusal, row, round, index, principles, model, seed, agreement, edited }) =>
      // What is not there leaves no key.
      `${JSON.stringify({ text, label, answer, entities, context, accepted, reason, refusal, row, round, index, principles, model, seed, agreement, edited })}\n`,
    )
    .join("");
}

export function save(blob: Blob, name: string): void {
  const address = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // The browser reads the blob after the click has returned.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** A file name out of a task's name. */
export function fileName(task: string, what: string): string {
  const plain = task.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
  return `seedbed-${plain === "" ? "task" : plain}-${what}`;
}
