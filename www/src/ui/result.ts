/** The rows compared: bars, numbers, and one honest sentence. */
import type { Metrics, RowName } from "#seedbed/events";
import { verdict } from "../result/verdict";
import { recipeOf, rowsOf } from "../recipe/rows";
import type { State } from "../state";
import { count, percent, ROW_ABOUT, ROW_TITLES } from "../words";
import { accuracyBars } from "./bars";
import { byId, make, setText } from "./dom";

export class ResultPlace {
  private readonly bars = byId("result-bars", HTMLDivElement);
  private readonly verdict = byId("verdict", HTMLParagraphElement);
  private readonly more = byId("verdict-more", HTMLParagraphElement);
  private readonly table = byId("result-table", HTMLDivElement);
  private state: State | null = null;
  private drawn = "";

  constructor() {
    new ResizeObserver(() => this.state !== null && this.draw(this.state)).observe(this.bars);
  }

  draw(state: State): void {
    this.state = state;
    const { run } = state;
    const chosen = rowsOf(state);
    const measured = chosen.filter((row) => run.rows[row] !== undefined);
    const key = `${run.run}:${chosen.join(",")}:${measured.join(",")}:${run.report === null}:${this.bars.clientWidth}`;
    if (key === this.drawn) {
      return;
    }
    this.drawn = key;
    const metrics = Object.fromEntries(measured.map((row) => [row, run.rows[row]?.metrics])) as Partial<Record<RowName, Metrics>>;
    this.bars.replaceChildren(accuracyBars(chosen.map((name) => ({ name, metrics: metrics[name] ?? null })), this.bars.clientWidth));
    const [first = "", second = ""] = run.report === null ? [] : verdict(recipeOf(state), metrics);
    setText(this.verdict, first);
    setText(this.more, second);
    this.table.replaceChildren(numbersTable(chosen, metrics));
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
