/** The runs in this browser's storage: open one, go on with one, delete one, lay several side by side. */
import type { RunView } from "../run-view";
import { comparison, type Compared } from "./compare";
import type { StoredRun } from "#seedbed/protocol";
import type { State } from "../state";
import { bytes, plural } from "../words";
import { byId, emptyHint, make, setText, showError } from "./dom";
import { isBusy } from "./task";

export interface StoredEvents {
  open(id: string): Promise<void>;
  forget(id: string): Promise<void>;
  /** Reads a run without showing it. */
  read(id: string): Promise<RunView>;
  /** Goes on with a run that ended before its end. */
  resume(id: string): Promise<void>;
}

export class StoredRunsPlace {
  private readonly list = byId("stored-runs", HTMLUListElement);
  private readonly title = byId("stored-title", HTMLElement);
  private readonly error = byId("keep-error", HTMLParagraphElement);
  private readonly compared = byId("compared", HTMLDivElement);
  /** What is laid side by side, by the runs' names. */
  private readonly chosen = new Map<string, Compared>();
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
    for (const id of [...this.chosen.keys()].filter((name) => !runs.some((run) => run.id === name))) {
      this.chosen.delete(id);
    }
    this.drawCompared();
    setText(this.title, runs.length === 0 ? "Runs in this browser" : `${plural(runs.length, "run")} in this browser`);
    const rows = runs.map((run) => this.row(run, run.id === shown, isBusy(state)));
    this.list.replaceChildren(...(rows.length === 0 ? [make("li", {}, emptyHint("None yet."))] : rows));
  }

  private row(run: StoredRun, shown: boolean, busy: boolean): HTMLElement {
    const when = timeOf(run.id);
    const query = new URLSearchParams(run.settings);
    const work = `${query.get("task") ?? "snips_intent"}, ${query.get("recipe") ?? "psi"}`;
    const open = make("button", { type: "button", class: "small", "aria-label": `Show the run of ${when}` }, "Show");
    const remove = make("button", { type: "button", class: "small", "aria-label": `Delete the run of ${when}` }, "Delete");
    open.disabled = shown || busy;
    remove.disabled = busy;
    open.addEventListener("click", () => void this.attempt(() => this.events.open(run.id)));
    remove.addEventListener("click", () => void this.attempt(() => this.events.forget(run.id)));
    const compare = make("input", { type: "checkbox", "aria-label": `Compare the run of ${when}` });
    compare.checked = this.chosen.has(run.id);
    compare.addEventListener("change", () => {
      void this.attempt(() => this.compare(run, when, compare.checked)).then(() => (compare.checked = this.chosen.has(run.id)));
    });
    const places: HTMLElement[] = [make("label", { class: "check" }, compare, when), make("span", { class: "help" }, `${work}, ${bytes(run.bytes)}`)];
    if (run.unfinished !== null) {
      const resume = make("button", { type: "button", class: "small", "aria-label": `Continue the run of ${when}` }, "Continue");
      resume.disabled = busy;
      resume.addEventListener("click", () => void this.attempt(() => this.events.resume(run.id)));
      places.push(resume);
    }
    return make("li", {}, ...places, open, remove);
  }

  private async compare({ id, settings }: StoredRun, when: string, chosen: boolean): Promise<void> {
    if (chosen) {
      this.chosen.set(id, { when, settings, run: await this.events.read(id) });
    } else {
      this.chosen.delete(id);
    }
    this.drawCompared();
  }

  private drawCompared(): void {
    const runs = [...this.chosen.values()];
    const hint = runs.length === 0 ? [] : [emptyHint("Tick another run to lay it beside this one.")];
    this.compared.replaceChildren(...(runs.length < 2 ? hint : [comparison(runs)]));
    this.compared.hidden = runs.length === 0;
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
