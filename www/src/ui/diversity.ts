/** Diversity and near-copies as numbers, worked out while the page has nothing better to do. */
import type { RowName } from "#seedbed/events";
import { ALIKE, type Diversity, DiversityMeter } from "../instances/diversity";
import { edited } from "../instances/edits";
import type { RunView } from "../run-view";
import { writes } from "../recipe/recipes";
import { rowsOf } from "../recipe/rows";
import type { State } from "../state";
import { count, percent, ROW_TITLES } from "../words";
import { byId, make } from "./dom";

/** A slice of work; the page must never stand still for longer than 50 ms. */
const SLICE_MS = 6;

export class DiversityPlace {
  private readonly table = byId("diversity", HTMLDivElement);
  private meters = new Map<RowName, DiversityMeter>();
  private run: RunView | null = null;
  private edits = -1;
  private taken = 0;
  private planned = false;
  private rows: readonly RowName[] = [];

  draw(state: State): void {
    const { run } = state;
    const written = run.instances.at(-1)?.row;
    const rows = rowsOf(state).filter((row) => writes(row) || row === written);
    if (rows.join() !== this.rows.join()) {
      this.rows = rows;
      this.show();
    }
    if (run.run !== this.run?.run || run.editCount !== this.edits) {
      this.meters = new Map();
      this.taken = 0;
      this.edits = run.editCount;
      this.run = run;
      this.show();
    }
    if (this.taken < run.instances.length) {
      this.plan();
    }
  }

  private plan(): void {
    if (!this.planned) {
      this.planned = true;
      idle(() => {
        this.planned = false;
        this.work();
      });
    }
  }

  private work(): void {
    const { run } = this;
    if (run === null) {
      return;
    }
    const end = performance.now() + SLICE_MS;
    while (this.taken < run.instances.length && performance.now() < end) {
      const written = run.instances[this.taken];
      if (written !== undefined) {
        const instance = edited(written, run.edits.get(this.taken));
        if (instance.accepted && !instance.deleted) {
          meterOf(this.meters, instance.row).add(instance.text);
        }
      }
      this.taken += 1;
    }
    this.show();
    if (this.taken < run.instances.length) {
      this.plan();
    }
  }

  private show(): void {
    const head = ["Accepted", "Count", "Distinct-2", "Alike"].map((title) => make("th", { scope: "col", title: ABOUT[title] ?? "" }, title));
    const body = this.rows.map((row) => {
      const cells = cellsOf(this.meters.get(row)?.now ?? null);
      return make("tr", { "data-row": row }, make("th", { scope: "row" }, ROW_TITLES[row]), ...cells.map((cell) => make("td", {}, cell)));
    });
    this.table.replaceChildren(make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...body)));
  }
}

const ABOUT: Record<string, string> = {
  "Distinct-2": "Different word pairs as a share of all word pairs; it falls as texts become more, so compare equal counts",
  Alike: `Texts whose ROUGE-L against an earlier one is above ${ALIKE}`,
};

function cellsOf(now: Diversity | null): string[] {
  const share = (part: number | null | undefined) => (part === null || part === undefined ? "–" : percent(part));
  return [count(now?.texts ?? 0), now?.distinct2?.toFixed(3) ?? "–", share(now?.alike)];
}

function meterOf(meters: Map<RowName, DiversityMeter>, row: RowName): DiversityMeter {
  const meter = meters.get(row) ?? new DiversityMeter();
  meters.set(row, meter);
  return meter;
}

function idle(work: () => void): void {
  // Safari has no requestIdleCallback.
  if (typeof requestIdleCallback === "function") {
    requestIdleCallback(work, { timeout: 500 });
  } else {
    setTimeout(work, 20);
  }
}
