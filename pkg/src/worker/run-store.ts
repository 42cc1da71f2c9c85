/**
 * Keeps a run in the browser's own storage (OPFS), under `runs/<id>/`: what went in, the log of events with its checkpoints,
 * the instances, the report, the adapter. When the storage is missing or full, that is said once and the run goes on in memory.
 */
import type { Kept, RunEvent } from "../events";
import type { ChosenModel, RunOptions, TaskFiles } from "../protocol";
import { wholeLog } from "../log";
import { CodedError, toFailure } from "./failure";
import { openFile, openLeft, runsFolder, writeAll } from "./opfs";

const encoder = new TextEncoder();

/** What a run is begun with, beside the task. */
export interface Begun {
  options: RunOptions;
  /** `null` for the one that was loaded. */
  model: ChosenModel | null;
}

const STOPPED = "stopped.txt";

export class RunStore {
  /** What the log holds of before, where a run goes on. */
  past = "";
  private folder: FileSystemDirectoryHandle | null = null;
  private log: FileSystemSyncAccessHandle | null = null;
  private broken = false;

  private constructor(private readonly say: (message: string) => void) {}

  /** Opens a new run; never throws, since a run without a store is still a run. */
  static async create(id: string, settings: string, files: TaskFiles, begun: Begun, say: (message: string) => void): Promise<RunStore> {
    const store = new RunStore(say);
    await store.attempt(async () => {
      const runs = await runsFolder(true);
      store.folder = await runs.getDirectoryHandle(id, { create: true });
      await store.put("settings.txt", settings);
      await store.put("options.json", JSON.stringify(begun));
      await store.put("task.json", files.task);
      await store.put("seeds.jsonl", files.seeds);
      if (files.test !== undefined) {
        await store.put("test.jsonl", files.test);
      }
      store.log = await openFile(store.folder, "events.jsonl");
    });
    return store;
  }

  /** Opens a run that ended before its end, and cuts off what it did after the last thing it kept. */
  static async reopen(id: string, say: (message: string) => void): Promise<RunStore> {
    const store = new RunStore(say);
    try {
      store.folder = await (await runsFolder(false)).getDirectoryHandle(id);
      store.log = await openLeft(store.folder, "events.jsonl");
    } catch (thrown) {
      throw new CodedError("storage", `This run cannot be continued here (${toFailure(thrown).message}); perhaps it is open in another tab.`);
    }
    const bytes = new Uint8Array(store.log.getSize());
    store.log.read(bytes, { at: 0 });
    store.past = wholeLog(new TextDecoder().decode(bytes));
    store.log.truncate(encoder.encode(store.past).length);
    await store.folder.removeEntry(STOPPED).catch(() => undefined);
    return store;
  }

  /** The log as the engine uses it. */
  forEngine(): EngineLog {
    return {
      past: this.past,
      put: (name, bytes) => this.save(name, bytes),
      get: async (name) => {
        const file = await this.folder?.getFileHandle(name);
        if (file === undefined) {
          throw new Error("there is no storage");
        }
        return new Uint8Array(await (await file.getFile()).arrayBuffer());
      },
      remove: (name) => void this.folder?.removeEntry(name).catch(() => undefined),
    };
  }

  /** With the report there, nobody goes on from the checkpoints. */
  async tidy(): Promise<void> {
    await this.attempt(async () => {
      const names: string[] = [];
      for await (const name of this.folder?.keys() ?? []) {
        if (name.startsWith("checkpoint-")) {
          names.push(name);
        }
      }
      await Promise.all(names.map((name) => this.folder?.removeEntry(name)));
    });
  }

  /** The visitor stopped it, so that it does not go on by itself after a reload. */
  async markStopped(): Promise<void> {
    await this.save(STOPPED, "stopped");
  }

  /** Appends one event to the log. Runs inside the engine's callback, hence without waiting. */
  append(event: RunEvent | Kept): void {
    if (this.broken || this.log === null) {
      return;
    }
    try {
      writeAll(this.log, encoder.encode(`${JSON.stringify(event)}\n`), this.log.getSize());
      if (event.type === "kept" || event.type === "stage_finished" || event.type === "row_finished") {
        this.log.flush();
      }
    } catch (thrown) {
      this.giveUp(thrown);
    }
  }

  /** Writes one whole file of the run. */
  async save(name: string, content: string | Uint8Array): Promise<void> {
    await this.attempt(() => this.put(name, content));
  }

  close(): void {
    try {
      this.log?.flush();
      this.log?.close();
    } catch (thrown) {
      this.giveUp(thrown);
    }
    this.log = null;
  }

  private async put(name: string, content: string | Uint8Array): Promise<void> {
    if (this.folder === null) {
      return;
    }
    const file = await openFile(this.folder, name);
    try {
      file.truncate(0);
      writeAll(file, typeof content === "string" ? encoder.encode(content) : content, 0);
      file.flush();
    } finally {
      file.close();
    }
  }

  private async attempt(work: () => Promise<void>): Promise<void> {
    if (this.broken) {
      return;
    }
    try {
      await work();
    } catch (thrown) {
      this.giveUp(thrown);
    }
  }

  private giveUp(thrown: unknown): void {
    if (this.broken) {
      return;
    }
    this.broken = true;
    const failure = toFailure(thrown);
    this.say(
      failure.code === "QuotaExceededError"
        ? "This browser's storage for the page is full, so this run is kept in memory only: download what you want to keep, or delete stored runs at the foot of the page."
        : `This browser does not let the page store files (${failure.message}), so this run is kept in memory only: download what you want to keep.`,
    );
  }
}
