/** Diversity and near-copies as numbers, worked out while the page has nothing better to do. */
import type { RowName } from "#seedbed/events";
import { ALIKE, type Diversity, DiversityMeter } from "../instances/diversity";
import { edited } from "../instances/edits";
import type { RunView } from "../run-view";
import { ROW_NAMES } from "../settings";
import type { State } from "../state";
import { count, percent, ROW_TITLES } from "../words";
import { byId, make } from "./dom";

/** A slice of work; the page must never stand still for longer than 50 ms. */
const SLICE_MS = 6;

const WRITING: readonly RowName[] = ROW_NAMES.filter((row) => row === "direct" || row === "psi");

export class DiversityPlace {
  private readonly table = byId("diversity", HTMLDivElement);
  private meters = newMeters();
  private run: RunView | null = null;
  private edits = -1;
  private taken = 0;
  private planned = false;

  constructor() {
    this.show();
  }

  draw({ run }: State): void {
    if (run.run !== this.run?.run || run.editCount !== this.edits) {
      this.meters = newMeters();
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
          this.meters.get(instance.row)?.add(instance.text);
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
    const body = WRITING.map((row) => {
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

function newMeters(): Map<RowName, DiversityMeter> {
  return new Map(WRITING.map((row) => [row, new DiversityMeter()]));
}

function idle(work: () => void): void {
  // Safari has no requestIdleCallback.
  if (typeof requestIdleCallback === "function") {
    requestIdleCallback(work, { timeout: 500 });
  } else {
    setTimeout(work, 20);
  }
}
