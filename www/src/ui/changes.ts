/** Label by label: what one row gets right that another does not. */
import type { RowName } from "#seedbed/events";
import { type ClassChange, classChanges } from "../result/per-class";
import { changeWords } from "../result/verdict";
import type { RunView } from "../run-view";
import { ALL_ROWS } from "../recipe/recipes";
import type { State } from "../state";
import { count, plural, ROW_TITLES } from "../words";
import { byId, emptyHint, make, setText } from "./dom";

export class ChangesPlace {
  private readonly from = byId("changes-from", HTMLSelectElement);
  private readonly to = byId("changes-to", HTMLSelectElement);
  private readonly words = byId("changes-words", HTMLParagraphElement);
  private readonly box = byId("changes-table", HTMLDivElement);
  private run: RunView | null = null;
  private drawn = "";
  private chosen = false;

  constructor() {
    for (const select of [this.from, this.to]) {
      select.addEventListener("change", () => {
        this.chosen = true;
        this.drawTable();
      });
    }
  }

  draw({ run }: State): void {
    const measured = ALL_ROWS.filter((row) => run.rows[row] !== undefined);
    const key = `${run.run}:${measured.join(",")}`;
    if (key === this.drawn) {
      return;
    }
    this.chosen = this.chosen && run.run === this.run?.run;
    this.run = run;
    this.drawn = key;
    const usual = { from: measured.includes("seeds_only") && measured.at(-1) !== "seeds_only" ? "seeds_only" : measured[0], to: measured.at(-1) };
    for (const [select, row] of [[this.from, usual.from], [this.to, usual.to]] as const) {
      const before = select.value;
      select.replaceChildren(...measured.map((name) => make("option", { value: name }, ROW_TITLES[name])));
      select.disabled = measured.length < 2;
      select.value = this.chosen ? before : (row ?? "");
    }
    this.drawTable();
  }

  private drawTable(): void {
    const labels = this.run?.started?.labels;
    const [from, to] = [this.from.value as RowName, this.to.value as RowName];
    const before = this.run?.rows[from]?.confusion;
    const after = this.run?.rows[to]?.confusion;
    if (labels === undefined || before === undefined || after === undefined || this.from.disabled) {
      setText(this.words, "");
      this.box.replaceChildren(emptyHint("Two measured rows can be compared here, label by label."));
      return;
    }
    const changes = classChanges(labels, before, after);
    const smallest = Math.min(...changes.map((change) => change.n).filter((n) => n > 0));
    const doubt = Number.isFinite(smallest)
      ? ` A label here has as few as ${plural(smallest, "test row")}, so one answer more or less can be ${plural(Math.round(100 / smallest), "point")}: only large moves mean something.`
      : "";
    setText(this.words, `${changeWords(labels, from, to, this.run?.rows ?? {})}${doubt}`);
    this.box.replaceChildren(table(changes, ROW_TITLES[from], ROW_TITLES[to]));
  }
}

function table(changes: readonly ClassChange[], from: string, to: string): HTMLElement {
  const head = ["Label", from, to, "Change", "n"].map((title) => make("th", { scope: "col" }, title));
  const body = changes.map(({ label, n, before, after }) => {
    const part = n === 0 ? 0 : (after - before) / n;
    const sign = part > 0 ? "+" : "";
    return make(
      "tr",
      { "data-change": part > 0 ? "up" : part < 0 ? "down" : "none" },
      make("th", { scope: "row", title: label }, make("span", { class: "label-name" }, label)),
      make("td", {}, count(before)),
      make("td", {}, count(after)),
      make("td", { class: "change" }, changeBar(part), make("span", {}, n === 0 ? "–" : `${sign}${Math.round(part * 100)} points`)),
      make("td", {}, count(n)),
    );
  });
  return make("table", { class: "changes" }, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...body));
}

/** A bar to the right of the middle for a gain, to the left for a loss. */
function changeBar(part: number): HTMLElement {
  const fill = make("i");
  fill.style.width = `${Math.abs(part) * 50}%`;
  fill.style.marginLeft = `${part < 0 ? 50 + part * 50 : 50}%`;
  return make("span", { class: "change-bar", "aria-hidden": "true" }, fill);
}
