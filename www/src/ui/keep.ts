/** What can be taken along, and a run that was taken along before. */
import { dataCard } from "../data-card";
import { adapterZip, dataZip, fileName, filesZip, instancesFromEvents, save } from "../downloads";
import type { EngineClient } from "#seedbed/engine-client";
import type { AdapterFiles } from "#seedbed/protocol";
import { modelOf } from "../models/state";
import { readRun, type SavedRun, writeRun } from "../run-file/run-file";
import { OWN_TASK, writeSettings } from "../settings";
import type { State, Store } from "../state";
import type { OwnTask } from "../task/own";
import { byId, setText, showError } from "./dom";
import { isBusy } from "./task";

export interface KeepEvents {
  ownTask(): OwnTask;
  open(run: SavedRun): void;
}

export class KeepPlace {
  private readonly adapter = byId("get-adapter", HTMLButtonElement);
  private readonly merged = byId("get-merged", HTMLButtonElement);
  private readonly instances = byId("get-instances", HTMLButtonElement);
  private readonly data = byId("get-data", HTMLButtonElement);
  private readonly run = byId("get-run", HTMLButtonElement);
  private readonly link = byId("get-link", HTMLButtonElement);
  private readonly open = byId("open-run", HTMLButtonElement);
  private readonly withSeeds = byId("run-with-seeds", HTMLInputElement);
  private readonly withSeedsLine = byId("run-with-seeds-line", HTMLLabelElement);
  private readonly address = byId("link-address", HTMLInputElement);
  private readonly addressLine = byId("link-line", HTMLLabelElement);
  private readonly said = byId("keep-said", HTMLParagraphElement);
  private readonly error = byId("keep-error", HTMLParagraphElement);

  constructor(
    private readonly client: EngineClient,
    private readonly store: Store,
    private readonly events: KeepEvents,
  ) {
    const file = byId("open-run-file", HTMLInputElement);
    this.onClick(this.adapter, () => this.saveAdapter());
    this.onClick(this.merged, () => this.saveMerged());
    this.onClick(this.instances, async () => save(new Blob([await this.lines()], { type: "application/jsonl" }), this.name("instances.jsonl")));
    this.onClick(this.data, () => this.saveData());
    this.onClick(this.run, () => this.saveRun());
    this.onClick(this.link, () => this.copyLink());
    this.open.addEventListener("click", () => file.click());
    file.addEventListener("change", () => {
      const chosen = file.files?.[0];
      file.value = "";
      if (chosen !== undefined) {
        void this.attempt(() => this.openRun(chosen));
      }
    });
  }

  draw(state: State): void {
    const busy = isBusy(state);
    const { run } = state;
    this.adapter.disabled = busy || !this.hasAdapter();
    this.merged.disabled = this.adapter.disabled;
    this.instances.disabled = busy || run.instances.length === 0;
    this.data.disabled = this.instances.disabled;
    this.run.disabled = busy || run.started === null;
    this.open.disabled = busy;
    this.withSeedsLine.hidden = state.settings.task !== OWN_TASK;
  }

  private hasAdapter(): boolean {
    const { state } = this.store;
    return state.opened !== null ? state.opened.adapter !== null : state.engineHasRun && state.run.lastStep !== null;
  }

  private async saveAdapter(): Promise<void> {
    save(adapterZip(await this.theAdapter()), this.name("adapter.zip"));
  }

  private async saveMerged(): Promise<void> {
    const { run, models } = this.store.state;
    const { model } = modelOf(run, models);
    save(await filesZip(await this.client.call("merge", { model, adapter: await this.theAdapter() })), this.name("model.zip"));
  }

  private async theAdapter(): Promise<AdapterFiles> {
    return this.store.state.opened?.adapter ?? this.client.call("adapter", {});
  }

  private async lines(): Promise<string> {
    const { state } = this.store;
    const { instances, edits } = state.run;
    const untouched = state.engineHasRun && state.run.source === "engine" && edits.size === 0;
    return untouched ? this.client.call("instances", {}) : instancesFromEvents(instances, edits);
  }

  private async saveData(): Promise<void> {
    const { run, summary } = this.store.state;
    save(dataZip(await this.lines(), dataCard(run, summary?.instruction ?? "not known")), this.name("data.zip"));
  }

  private async saveRun(): Promise<void> {
    const { run, settings, boundary } = this.store.state;
    const own = settings.task === OWN_TASK && this.withSeeds.checked ? this.events.ownTask() : null;
    const adapter = this.hasAdapter() ? await this.theAdapter() : null;
    // One's own rows go along only where that was asked for; bundled ones are public.
    const withRows = settings.task !== OWN_TASK || own !== null;
    const events = withRows ? run.log : run.log.filter(({ type }) => type !== "tested" && type !== "sample");
    const saved = writeRun({ settings: writeSettings(settings), events, edits: run.edits, adapter, own, ledger: boundary.ledger, principles: boundary.set });
    save(new Blob([saved], { type: "application/json" }), this.name("run.json"));
  }

  private async openRun(file: Blob): Promise<void> {
    this.events.open(await readRun(file));
    setText(this.said, "The run is open: all that it made is shown above, and can be downloaded again.");
  }

  /** The address holds settings only; where the clipboard is closed to the page, it can be copied by hand. */
  private async copyLink(): Promise<void> {
    const address = new URL(location.pathname + writeSettings(this.store.state.settings), location.href).href;
    this.address.value = address;
    this.addressLine.hidden = false;
    try {
      await navigator.clipboard.writeText(address);
      setText(this.said, "Copied. It holds the settings and none of your data.");
    } catch {
      this.address.select();
      setText(this.said, "Copy it from the field below. It holds the settings and none of your data.");
    }
  }

  private name(what: string): string {
    return fileName(this.store.state.run.started?.task ?? "task", what);
  }

  private onClick(button: HTMLButtonElement, work: () => Promise<void>): void {
    button.addEventListener("click", () => void this.attempt(work));
  }

  private async attempt(work: () => Promise<void>): Promise<void> {
    setText(this.said, "");
    try {
      await work();
      showError(this.error, null);
    } catch (thrown) {
      showError(this.error, thrown instanceof Error ? thrown.message : String(thrown));
    }
  }
}
