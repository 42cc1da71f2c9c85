/**
 * Keeps a run in the browser's own storage (OPFS), under `runs/<id>/`: what went in, the log of events, the instances, the
 * report, the adapter. When the storage is missing or full, that is said once and the run goes on in memory.
 */
import type { RunEvent } from "../events";
import type { TaskFiles } from "../protocol";
import { toFailure } from "./failure";
import { openFile, runsFolder, writeAll } from "./opfs";

const encoder = new TextEncoder();

export class RunStore {
  private folder: FileSystemDirectoryHandle | null = null;
  private log: FileSystemSyncAccessHandle | null = null;
  private broken = false;

  private constructor(private readonly say: (message: string) => void) {}

  /** Opens a new run; never throws, since a run without a store is still a run. */
  static async create(id: string, settings: string, files: TaskFiles, say: (message: string) => void): Promise<RunStore> {
    const store = new RunStore(say);
    await store.attempt(async () => {
      const runs = await runsFolder(true);
      store.folder = await runs.getDirectoryHandle(id, { create: true });
      await store.put("settings.txt", settings);
      await store.put("task.json", files.task);
      await store.put("seeds.jsonl", files.seeds);
      if (files.test !== undefined) {
        await store.put("test.jsonl", files.test);
      }
      store.log = await openFile(store.folder, "events.jsonl");
    });
    return store;
  }

  /** Appends one event to the log. Runs inside the engine's callback, hence without waiting. */
  append(event: RunEvent): void {
    if (this.broken || this.log === null) {
      return;
    }
    try {
      writeAll(this.log, encoder.encode(`${JSON.stringify(event)}\n`), this.log.getSize());
      if (event.type === "stage_finished" || event.type === "row_finished") {
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
