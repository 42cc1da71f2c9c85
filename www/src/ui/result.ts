/** The rows compared: bars, numbers, one honest sentence, and what was taken for what. */
import type { Metrics, RowName } from "../events";
import { ROW_NAMES } from "../settings";
import type { State } from "../state";
import { verdict } from "../verdict";
import { count, percent, ROW_ABOUT, ROW_TITLES } from "../words";
import { accuracyBars } from "./bars";
import { byId, emptyHint, make, setText } from "./dom";

export class ResultPlace {
  private readonly bars = byId("result-bars", HTMLDivElement);
  private readonly verdict = byId("verdict", HTMLParagraphElement);
  private readonly table = byId("result-table", HTMLDivElement);
  private readonly confusionRow = byId("confusion-row", HTMLSelectElement);
  private readonly confusion = byId("confusion-table", HTMLDivElement);
  private state: State | null = null;
  private drawn = "";
  /** The visitor picked a row to look at; until then the newest measured one is shown. */
  private rowWasChosen = false;

  constructor() {
    this.confusionRow.addEventListener("change", () => {
      this.rowWasChosen = true;
      this.drawConfusion();
    });
    new ResizeObserver(() => this.state !== null && this.draw(this.state)).observe(this.bars);
  }

  draw(state: State): void {
    this.state = state;
    const { run, settings } = state;
    const measured = ROW_NAMES.filter((row) => run.rows[row] !== undefined);
    // A run's own rows once it has some, the chosen ones before that.
    const chosen = ROW_NAMES.filter((row) => settings.rows.includes(row) || measured.includes(row));
    const key = `${run.run}:${chosen.join(",")}:${measured.join(",")}:${run.report === null}:${this.bars.clientWidth}`;
    if (key === this.drawn) {
      return;
    }
    this.drawn = key;
    const metrics = Object.fromEntries(measured.map((row) => [row, run.rows[row]?.metrics])) as Partial<Record<RowName, Metrics>>;
    this.bars.replaceChildren(accuracyBars(chosen.map((name) => ({ name, metrics: metrics[name] ?? null })), this.bars.clientWidth));
    setText(this.verdict, run.report === null ? "" : verdict(metrics));
    this.table.replaceChildren(numbersTable(chosen, metrics));
    this.drawConfusionChoice(measured);
    this.drawConfusion();
  }

  private drawConfusionChoice(measured: RowName[]): void {
    const before = this.confusionRow.value;
    this.confusionRow.replaceChildren(...measured.map((row) => make("option", { value: row }, ROW_TITLES[row])));
    this.confusionRow.disabled = measured.length === 0;
    const chosen = this.rowWasChosen ? measured.find((row) => row === before) : undefined;
    this.confusionRow.value = chosen ?? measured.at(-1) ?? "";
  }

  private drawConfusion(): void {
    const run = this.state?.run;
    const result = run?.rows[this.confusionRow.value as RowName];
    if (run?.started == null || result === undefined) {
      this.confusion.replaceChildren(emptyHint("A table of true labels against answers, once a row is measured."));
      return;
    }
    this.confusion.replaceChildren(confusionTable(run.started.labels, result.confusion));
  }
}

function numbersTable(rows: readonly RowName[], metrics: Partial<Record<RowName, Metrics>>): HTMLElement {
  const head = ["Row", "Accuracy", "95 % interval", "Macro-F1", "n"].map((title) => make("th", { scope: "col" }, title));
  const body = rows.map((row) => {
    const m = metrics[row];
    const cells = m === undefined ? ["–", "–", "–", "–"] : [percent(m.accuracy), `${(m.low * 100).toFixed(1)}–${percent(m.high)}`, m.macro_f1.toFixed(3), count(m.n)];
    const name = make("th", { scope: "row", class: `row-${row}`, title: ROW_ABOUT[row] }, make("i", { class: "swatch" }), ROW_TITLES[row]);
    return make("tr", {}, name, ...cells.map((cell) => make("td", {}, cell)));
  });
  return make("table", { class: "results" }, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...body));
}

function confusionTable(labels: readonly string[], counts: readonly (readonly number[])[]): HTMLElement {
  // Long label names would make the table wider than any screen, so the columns carry numbers and the rows both.
  const head = labels.map((label, index) => make("th", { scope: "col", title: label, "aria-label": label }, String(index + 1)));
  const body = counts.map((row, gold) => {
    const total = Math.max(1, row.reduce((sum, value) => sum + value, 0));
    const cells = row.map((value, predicted) => {
      const share = Math.ceil((value / total) * 5);
      const kind = value === 0 ? "none" : gold === predicted ? "right" : "wrong";
      const title = `${labels[gold] ?? ""} taken for ${labels[predicted] ?? ""}: ${value}`;
      return make("td", { "data-kind": kind, "data-share": String(share), title }, value === 0 ? "·" : count(value));
    });
    return make("tr", {}, make("th", { scope: "row" }, make("small", {}, String(gold + 1)), labels[gold] ?? ""), ...cells);
  });
  const corner = make("th", { scope: "col" }, "True label ↓ answer →");
  return make("table", { class: "confusion" }, make("thead", {}, make("tr", {}, corner, ...head)), make("tbody", {}, ...body));
}
