/** The runs in this browser's storage: open one, go on with one, delete one. */
import type { StoredRun } from "#seedbed/protocol";
import type { State } from "../state";
import { bytes, plural } from "../words";
import { byId, emptyHint, make, setText, showError } from "./dom";
import { isBusy } from "./task";

export interface StoredEvents {
  open(id: string): Promise<void>;
  forget(id: string): Promise<void>;
  /** Goes on with a run that ended before its end. */
  resume(id: string): Promise<void>;
}

export class StoredRunsPlace {
  private readonly list = byId("stored-runs", HTMLUListElement);
  private readonly title = byId("stored-title", HTMLElement);
  private readonly error = byId("keep-error", HTMLParagraphElement);
  private drawn = "";

  constructor(private readonly events: StoredEvents) {}

  draw(state: State): void {
    const runs = state.kept?.runs ?? [];
    const shown = state.run.id;
    const key = `${runs.map((run) => `${run.id}:${run.bytes}:${run.unfinished}`).join(",")}:${shown}:${isBusy(state)}:${state.readOnly}`;
    if (key === this.drawn) {
      return;
    }
    this.drawn = key;
    setText(this.title, runs.length === 0 ? "Runs in this browser" : `${plural(runs.length, "run")} in this browser`);
    const rows = runs.map((run) => this.row(run, run.id === shown, isBusy(state)));
    this.list.replaceChildren(...(rows.length === 0 ? [make("li", {}, emptyHint("None yet."))] : rows));
  }

  private row(run: StoredRun, shown: boolean, busy: boolean): HTMLElement {
    const when = timeOf(run.id);
    const work = new URLSearchParams(run.settings).get("task") ?? "snips_intent";
    const open = make("button", { type: "button", class: "small", "aria-label": `Show the run of ${when}` }, "Show");
    const remove = make("button", { type: "button", class: "small", "aria-label": `Delete the run of ${when}` }, "Delete");
    open.disabled = shown || busy;
    remove.disabled = busy;
    open.addEventListener("click", () => void this.attempt(() => this.events.open(run.id)));
    remove.addEventListener("click", () => void this.attempt(() => this.events.forget(run.id)));
    const places = [make("span", {}, when), make("span", { class: "help" }, `${work}, ${bytes(run.bytes)}`)];
    if (run.unfinished !== null) {
      const resume = make("button", { type: "button", class: "small", "aria-label": `Continue the run of ${when}` }, "Continue");
      resume.disabled = busy;
      resume.addEventListener("click", () => void this.attempt(() => this.events.resume(run.id)));
      places.push(resume);
    }
    return make("li", {}, ...places, open, remove);
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

/** The time out of a run's name, in the visitor's own manner. */
function timeOf(id: string): string {
  const date = new Date(id.replace(/T(\d\d)-(\d\d)-(\d\d)-(\d+)Z$/, "T$1:$2:$3.$4Z"));
  return Number.isNaN(date.getTime()) ? id : date.toLocaleString();
}
