/** Files that the visitor takes along. */
import { strToU8, zipSync } from "fflate";
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

export function dataZip(instances: string, card: string): Blob {
  const zip = zipSync({ "README.md": strToU8(card), "instances.jsonl": strToU8(instances) });
  return new Blob([new Uint8Array(zip)], { type: "application/zip" });
}

/** The instances as the page saw them, with the visitor's changes; each line says whether it was changed. */
export function instancesFromEvents(instances: readonly InstanceWritten[], edits: Edits): string {
  return kept(instances, edits)
    .map(({ text, label, answer, entities, context, accepted, reason, refusal, row, round, index, principles, model, seed, edited }) =>
      // What is not there leaves no key.
      `${JSON.stringify({ text, label, answer, entities, context, accepted, reason, refusal, row, round, index, principles, model, seed, edited })}\n`,
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
