/** What the page does: opens the engine, checks the task, runs, stops. The places only show and ask. */
import { EngineClient, EngineError, type Listener } from "#seedbed/engine-client";
import { Door } from "./boundary/door";
import { Teaching } from "./boundary/teaching";
import type { Report, RunEvent, TaskKind } from "#seedbed/events";
import { wholeLog } from "#seedbed/log";
import { startWorker } from "./engine-worker";
import { chosenModel, modelOf } from "./models/state";
import { keepForOffline } from "./offline";
import type { DeviceChoice, OpenedEngine, TaskFiles } from "#seedbed/protocol";
import { type SavedRun, viewOf } from "./run-file/run-file";
import { emptyRun, take } from "./run-view";
import { isTaken, RunLock } from "./run-lock";
import { savedRunOf } from "./run-file/stored";
import { OWN_TASK, toRunOptions, writeSettings } from "./settings";
import type { State, Store } from "./state";
import { fetchBundled } from "./task/bundled";
import { unmarked } from "./task/entities";
import { type LabelledRow, readRows } from "./task/rows";
import { isKind, NO_SEEDS, ownFiles, type OwnTask, ownWords } from "./task/own";

/** How long a page that was reloaded may take to let go of the run it had. */
const LEAVING_MS = 3000;

export class Studio {
  readonly client: EngineClient;
  readonly teaching: Teaching;
  private readonly lock: RunLock;
  private running: Promise<unknown> | null = null;
  private checks = 0;

  constructor(
    private readonly store: Store,
    private readonly ownTask: () => OwnTask,
    doorPlace: HTMLElement,
  ) {
    const listener: Listener = {
      event: (event) => store.update((state) => this.take(state, event)),
      loading: (done, total) => store.update(({ run }) => void (run.loading = { done, total })),
      notice: (code, message) => store.update(({ notices }) => void notices.push({ code, message })),
      lost: (message) => void this.replace(message),
      keeping: (done, total) => store.update(({ models }) => void (models.progress = { done, total })),
      asked: (url) => {
        store.update(({ models }) => void models.asked.push({ url, when: new Date().toISOString() }));
        this.teaching.note({ type: "download", at: Date.now(), url, bytes: null });
      },
      knock: (url, body, port) => void this.teaching.knocked(url, body, port),
      downloaded: (url, bytes) => this.teaching.note({ type: "download", at: Date.now(), url, bytes }),
      ended: () => this.teaching?.ended(),
    };
    this.client = new EngineClient(listener, startWorker);
    this.lock = new RunLock((readOnly) => store.update((state) => void (state.readOnly = readOnly)));
    this.teaching = new Teaching(store, this.client, new Door(doorPlace), () => this.check());
  }

  private take(state: State, event: RunEvent): void {
    take(state.run, event);
    if (state.run.phase === "loading") {
      // A run that goes on does not begin again; its first event of any kind says that it is under way.
      state.run.phase = "running";
      state.run.loading = null;
    }
    if (event.type === "run_started" && state.summary !== null) {
      // Only the run itself knows which rows it held out or left out.
      state.summary = { ...state.summary, warnings: event.warnings };
    }
  }

  /** Opens the engine on the device and checks the chosen task with it. */
  async open(device: DeviceChoice): Promise<void> {
    this.store.update((state) => {
      state.engine = null;
      state.engineError = null;
      state.engineHasRun = false;
    });
    try {
      const engine = await this.client.open(device);
      this.store.update((state) => void (state.engine = engine));
      await this.check();
      await this.countKept();
      void this.keepForOffline(engine.device);
    } catch (thrown) {
      if (!wasCancelled(thrown)) {
        this.store.update((state) => void (state.engineError = messageOf(thrown)));
      }
    }
  }

  /** Checks the chosen task and shows what is in it, or the one line that is wrong. Says whether it can be run. */
  async check(): Promise<TaskFiles | null> {
    const check = ++this.checks;
    const own = this.store.state.settings.task === OWN_TASK;
    if (own && this.ownTask().seeds.trim() === "") {
      this.store.update((state) => {
        state.summary = null;
        state.taskError = null;
      });
      return null;
    }
    try {
      const files = await this.files();
      const summary = await this.client.call("check", { files });
      if (check === this.checks) {
        this.store.update((state) => {
          state.summary = summary;
          state.taskError = null;
        });
      }
      return files;
    } catch (thrown) {
      if (check === this.checks && !wasCancelled(thrown)) {
        this.store.update((state) => {
          state.summary = null;
          state.taskError = own ? ownWords(messageOf(thrown)) : messageOf(thrown);
        });
      }
      return null;
    }
  }

  /** Says why the chosen task cannot be run when it cannot. */
  async play(): Promise<void> {
    const { state } = this.store;
    if (this.running !== null || state.engine === null) {
      return;
    }
    if (state.settings.task === OWN_TASK && this.ownTask().seeds.trim() === "") {
      this.store.update((now) => void (now.taskError = NO_SEEDS));
      return;
    }
    this.store.update((now) => {
      now.run = emptyRun(now.run.run + 1);
      now.run.phase = "loading";
      now.run.id = runId();
      now.run.model = chosenModel(now.models);
      now.opened = null;
      now.notices = [];
    });
    void this.lock.take(this.store.state.run.id);
    const run = this.checkAndRun();
    this.running = run;
    await run;
    this.running = null;
    await this.countKept();
  }

  /** Goes on with a run of this browser's storage where it ended: with what it had, as if it had never ended. */
  async resume(id: string): Promise<void> {
    if (this.running !== null || this.store.state.engine === null) {
      return;
    }
    this.running = this.goOn(id);
    try {
      await this.running;
    } finally {
      this.running = null;
    }
    await this.countKept();
  }

  private async goOn(id: string): Promise<void> {
    if (!(await this.lock.own(LEAVING_MS))) {
      throw new Error("This run is open in another tab; close that tab, or show another run there, and continue it then.");
    }
    const files = await this.client.call("stored", { run: id });
    const events = wholeLog(files.events);
    const saved = events === "" ? null : await savedRunOf({ ...files, events });
    this.store.update((now) => {
      // A run that ended before it kept anything begins anew.
      const next = now.run.run + 1;
      now.run = saved === null ? emptyRun(next) : viewOf(saved, next, id);
      now.run.source = "engine";
      now.run.id = id;
      now.run.model = files.model;
      now.run.phase = "loading";
      now.opened = null;
      now.notices = [];
    });
    await this.follow(() => this.client.call("resume", { run: id }));
  }

  async stop(): Promise<void> {
    if (this.running === null) {
      return;
    }
    this.store.update(({ run }) => void (run.phase = "stopping"));
    if ((await this.client.stop(this.running)) === "deaf") {
      await this.reopen();
    }
  }

  /** A run of this browser's storage. */
  async stored(id: string): Promise<SavedRun> {
    return savedRunOf(await this.client.call("stored", { run: id }));
  }

  /** Writes the visitor's changes to where the run is stored; a run that is stored nowhere has them in the tab only. */
  keepEdits(): void {
    const { id, edits } = this.store.state.run;
    if (id !== null && !this.store.state.readOnly) {
      void this.client.call("keepEdits", { run: id, edits: JSON.stringify([...edits]) }).catch(() => undefined);
    }
  }

  /** Shows a run out of a file, or out of storage, in place of the one before. */
  openSaved(saved: SavedRun, stored: string | null): void {
    if (this.running === null) {
      this.store.update((state) => {
        state.run = viewOf(saved, state.run.run + 1, stored);
        state.opened = { adapter: saved.adapter };
        state.engineHasRun = false;
      });
      this.teaching.open(saved.ledger, saved.principles);
      void this.lock.take(stored);
    }
  }

  /** Deletes a stored run, or all of them for `null`. */
  async forget(run: string | null): Promise<void> {
    const { kept, run: shown, readOnly } = this.store.state;
    const runs = run === null ? (kept?.runs ?? []).map(({ id }) => id) : [run];
    for (const id of runs) {
      if ((id !== shown.id || readOnly) && (await isTaken(id))) {
        throw new Error("This run is open in another tab; close that tab, or show another run there, and delete it then.");
      }
    }
    const left = await this.client.call("forget", { runs });
    this.store.update((state) => void (state.kept = left));
  }

  /** Makes the engine answer for the run that is shown, where it was brought back from storage or a file. */
  async revive(): Promise<void> {
    const { state } = this.store;
    const { run, opened } = state;
    if (state.engineHasRun || opened?.adapter == null) {
      return;
    }
    const from = run.id !== null ? { run: run.id } : { files: await this.files(), adapter: opened.adapter, model: modelOf(run, state.models) };
    await this.client.call("restore", { from });
    this.store.update((now) => void (now.engineHasRun = now.run.run === run.run));
  }

  /** The seeds of the chosen task. */
  async seeds(): Promise<readonly LabelledRow[]> {
    const files = await this.files();
    return this.rows(files, files.seeds);
  }

  /** What the visitor wants to see answered as training goes; without a wish, the first row that there is. */
  private watched(files: TaskFiles): string[] {
    const wish = this.store.state.watch.trim();
    const text = wish === "" ? this.firstText(files) : wish;
    return text === undefined || text === "" ? [] : [text];
  }

  /** As the student will read it: without the marks of its entities. */
  private firstText(files: TaskFiles): string | undefined {
    const text = this.rows(files, files.test ?? files.seeds)[0]?.text;
    return text !== undefined && kindOf(files) === "ner" ? unmarked(text).text : text;
  }

  private rows(files: TaskFiles, text: string): readonly LabelledRow[] {
    const read = readRows(text, kindOf(files));
    return "rows" in read ? read.rows : [];
  }

  private async files(): Promise<TaskFiles> {
    const { task } = this.store.state.settings;
    return task === OWN_TASK ? ownFiles(this.ownTask()) : fetchBundled(task);
  }

  /** Ends in a phase, never in an exception. */
  private async checkAndRun(): Promise<void> {
    const files = await this.check();
    if (files === null) {
      this.store.update(({ run }) => void (run.phase = run.phase === "stopping" ? "stopped" : "idle"));
      return;
    }
    if (this.store.state.run.phase === "stopping") {
      this.store.update(({ run }) => void (run.phase = "stopped"));
      return;
    }
    const { settings, run } = this.store.state;
    const options = { ...toRunOptions(settings), ...this.teaching.runOptions(), watch: this.watched(files) };
    const input = { folder: run.id ?? runId(), settings: writeSettings(settings), files, options, model: run.model };
    await this.follow(async () => {
      await this.teaching.handOver();
      return this.client.call("run", input);
    });
  }

  /** Shows how a run ends. */
  private async follow(run: () => Promise<Report>): Promise<void> {
    try {
      const report = await run();
      this.store.update((state) => {
        state.run.report = report;
        state.run.overall = 1;
        state.run.phase = "finished";
        state.engineHasRun = true;
      });
    } catch (thrown) {
      const cancelled = wasCancelled(thrown);
      this.store.update((state) => {
        state.run.phase = cancelled ? "stopped" : "failed";
        state.run.error = cancelled ? null : messageOf(thrown);
        state.engineHasRun = state.run.started !== null && state.engine !== null;
      });
      // Stop promises a second, so nothing is put off.
      this.store.draw();
      if (isCrash(thrown)) {
        await this.reopen();
      }
    }
    // Nobody waits for this: after Stop the page can play again at once.
    void this.teaching.runEnded();
  }

  /** The device was lost while nothing ran: another is opened, and that is said. */
  private async replace(message: string): Promise<void> {
    if (this.running !== null) {
      // It began in this very moment; it will fail, and then the engine is replaced.
      return;
    }
    this.store.update(({ notices }) => void notices.push({ code: "device", message: `${message} Another one is opened.` }));
    await this.reopen();
  }

  /** A worker that is deaf or has crashed is replaced; what the page has streamed stays. */
  private async reopen(): Promise<void> {
    // First of all: between the old worker and the new one there is nothing to play on.
    this.store.update((state) => {
      state.engine = null;
      state.engineHasRun = false;
    });
    try {
      const engine = await this.client.reopen();
      this.store.update((state) => void (state.engine = engine));
      await this.countKept();
      await this.adapterOfStored();
    } catch (thrown) {
      this.store.update((state) => void (state.engineError = messageOf(thrown)));
    }
  }

  /** The new engine has not the adapter of the run that is shown; the browser's storage has what was trained last. */
  private async adapterOfStored(): Promise<void> {
    const { run, opened } = this.store.state;
    if (run.id === null || opened !== null) {
      return;
    }
    const stored = await this.client.call("stored", { run: run.id }).catch(() => null);
    if (stored !== null && stored.adapter !== null && this.running === null) {
      this.store.update((state) => void (state.opened = { adapter: stored.adapter }));
    }
  }

  /** After all else, so that the first visit is not made slower by it. */
  private async keepForOffline(device: OpenedEngine["device"]): Promise<void> {
    const offline = await keepForOffline(device);
    this.store.update((state) => void (state.offline = offline));
  }

  private async countKept(): Promise<void> {
    const kept = await this.client.call("kept", {}).catch(() => this.store.state.kept);
    this.store.update((state) => void (state.kept = kept));
  }
}

function kindOf({ task }: TaskFiles): TaskKind {
  const { type } = JSON.parse(task) as { type?: unknown };
  return isKind(type) ? type : "classification";
}

/** The time, as a name for a folder. */
function runId(): string {
  return new Date().toISOString().replace(/[:.]/g, "-");
}

function wasCancelled(thrown: unknown): boolean {
  return thrown instanceof EngineError && thrown.code === "cancelled";
}

/** After a trap the wasm memory cannot be trusted any more. */
function isCrash(thrown: unknown): boolean {
  return thrown instanceof EngineError && ["RuntimeError", "RangeError", "device", "memory"].includes(thrown.code);
}

function messageOf(thrown: unknown): string {
  if (thrown instanceof EngineError && thrown.code === "RuntimeError") {
    return `The engine stopped unexpectedly (${thrown.message}) and was started anew; try fewer instances, or another device.`;
  }
  return thrown instanceof Error ? thrown.message : String(thrown);
}
