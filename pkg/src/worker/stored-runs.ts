/** The runs that earlier visits, and other tabs, left in this browser's own storage (OPFS). */
import type { Kept, StoredFiles, StoredRun } from "../protocol";
import { CodedError } from "./failure";
import { openFile, runsFolder, writeAll } from "./opfs";
import type { Begun } from "./run-store";

export async function keptRuns(): Promise<Kept> {
  const runs: StoredRun[] = [];
  try {
    const folder = await runsFolder(false);
    for await (const run of folder.values()) {
      if (run.kind === "directory") {
        runs.push(await describe(run as FileSystemDirectoryHandle));
      }
    }
  } catch {
    // No folder yet, or no storage at all: nothing is kept.
  }
  runs.sort((a, b) => (a.id < b.id ? 1 : -1));
  return { runs, bytes: runs.reduce((sum, run) => sum + run.bytes, 0) };
}

/** The files of one run. */
export async function storedRun(id: string): Promise<StoredFiles> {
  const folder = await runFolder(id);
  const [settings, events, edits, seeds, test, task, config, ledger, answers] = await Promise.all(
    ["settings.txt", "events.jsonl", "edits.json", "seeds.jsonl", "test.jsonl", "task.json", "adapter_config.json", "ledger.json", "answers.json"].map((name) => textOf(folder, name)),
  );
  const weights = await fileOf(folder, "adapter_model.safetensors");
  const begun = await begunWith(id).catch(() => null);
  return {
    settings: settings ?? "",
    events: events ?? "",
    edits: edits ?? null,
    ledger: ledger ?? null,
    answers: answers ?? null,
    seeds: seeds ?? "",
    test: test ?? null,
    task: task ?? "",
    model: begun?.model ?? null,
    adapter: config == null || weights === null ? null : { config, weights: new Uint8Array(await weights.arrayBuffer()) },
  };
}

/** What a run was begun with. */
export async function begunWith(id: string): Promise<Begun> {
  const text = await textOf(await runFolder(id), "options.json");
  if (text === null) {
    throw new CodedError("storage", "This run was stored by an earlier version of the page, so it cannot be continued; play it anew.");
  }
  return JSON.parse(text) as Begun;
}

/** Writes the visitor's changes beside the run they belong to. */
export async function keepEdits(id: string, edits: string): Promise<void> {
  const file = await openFile(await runFolder(id), "edits.json");
  try {
    file.truncate(0);
    writeAll(file, new TextEncoder().encode(edits), 0);
    file.flush();
  } finally {
    file.close();
  }
}

/** Deletes these runs. Each by its name: to delete the whole folder would take along a run that begins meanwhile. */
export async function forgetRuns(ids: readonly string[]): Promise<Kept> {
  const folder = await runsFolder(true);
  for (const id of ids) {
    await folder.removeEntry(id, { recursive: true }).catch((thrown: unknown) => {
      throw new CodedError("storage", `This run could not be deleted (${String(thrown)}); close other tabs that have it open.`);
    });
  }
  return keptRuns();
}

async function runFolder(id: string): Promise<FileSystemDirectoryHandle> {
  try {
    return await (await runsFolder(false)).getDirectoryHandle(id);
  } catch {
    throw new CodedError("storage", "This run is no longer in this browser's storage; it was deleted here or in another tab.");
  }
}

async function describe(folder: FileSystemDirectoryHandle): Promise<StoredRun> {
  let bytes = 0;
  for await (const entry of folder.values()) {
    if (entry.kind === "file") {
      // One that was there a moment ago may be gone: a run under way writes and removes its checkpoints.
      bytes += (await fileOf(folder, entry.name))?.size ?? 0;
    }
  }
  const names = ["report.json", "stopped.txt", "options.json"];
  const [report, stopped, options] = await Promise.all(names.map((name) => fileOf(folder, name)));
  return {
    id: folder.name,
    bytes,
    settings: (await textOf(folder, "settings.txt")) ?? "",
    // A run of an earlier version of the page has no options, and so nothing to go on with.
    unfinished: report !== null || options === null ? null : stopped === null ? "interrupted" : "stopped",
  };
}

async function textOf(folder: FileSystemDirectoryHandle, name: string): Promise<string | null> {
  return (await (await fileOf(folder, name))?.text()) ?? null;
}

async function fileOf(folder: FileSystemDirectoryHandle, name: string): Promise<File | null> {
  try {
    return await (await folder.getFileHandle(name)).getFile();
  } catch {
    return null;
  }
}
