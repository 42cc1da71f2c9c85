/** The downloads. */
import { adapterZip, fileName, instancesFromEvents, save } from "../downloads";
import type { EngineClient } from "../engine-client";
import type { State, Store } from "../state";
import { byId, showError } from "./dom";
import { isBusy } from "./task";

export class KeepPlace {
  private readonly adapter = byId("get-adapter", HTMLButtonElement);
  private readonly instances = byId("get-instances", HTMLButtonElement);
  private readonly error = byId("keep-error", HTMLParagraphElement);

  constructor(
    private readonly client: EngineClient,
    private readonly store: Store,
  ) {
    this.adapter.addEventListener("click", () => void this.attempt(() => this.saveAdapter()));
    this.instances.addEventListener("click", () => void this.attempt(() => this.saveInstances()));
  }

  draw(state: State): void {
    const busy = isBusy(state);
    this.adapter.disabled = busy || !state.engineHasRun || state.run.lastStep === null;
    this.instances.disabled = busy || state.run.instances.length === 0;
  }

  private async saveAdapter(): Promise<void> {
    save(adapterZip(await this.client.call("adapter", {})), fileName(this.task(), "adapter.zip"));
  }

  private async saveInstances(): Promise<void> {
    const { state } = this.store;
    const { instances, edits } = state.run;
    const untouched = state.engineHasRun && edits.size === 0;
    const lines = untouched ? await this.client.call("instances", {}) : instancesFromEvents(instances, edits);
    save(new Blob([lines], { type: "application/jsonl" }), fileName(this.task(), "instances.jsonl"));
  }

  private task(): string {
    return this.store.state.run.started?.task ?? "task";
  }

  private async attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      showError(this.error, null);
    } catch (thrown) {
      showError(this.error, thrown instanceof Error ? thrown.message : String(thrown));
    }
  }
}
