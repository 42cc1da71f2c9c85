/** The rows compared: bars, numbers, and one honest sentence. */
import type { Metrics, RowName, TaskKind } from "#seedbed/events";
import { verdict } from "../result/verdict";
import { kindOf, recipeOf, rowsOf } from "../recipe/rows";
import { headline, MEASURES } from "../result/headline";
import type { State } from "../state";
import { count, percent, ROW_ABOUT, ROW_TITLES } from "../words";
import { barsOf } from "./bars";
import { byId, make, setText } from "./dom";

export class ResultPlace {
  private readonly bars = byId("result-bars", HTMLDivElement);
  private readonly verdict = byId("verdict", HTMLParagraphElement);
  private readonly lead = byId("result-lead", HTMLParagraphElement);
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
    const kind = kindOf(state);
    const chosen = rowsOf(state);
    const measured = chosen.filter((row) => run.rows[row] !== undefined);
    const key = `${kind}:${run.run}:${chosen.join(",")}:${measured.join(",")}:${run.report === null}:${this.bars.clientWidth}`;
    if (key === this.drawn) {
      return;
    }
    this.drawn = key;
    const metrics = Object.fromEntries(measured.map((row) => [row, run.rows[row]?.metrics])) as Partial<Record<RowName, Metrics>>;
    const figures = chosen.map((name) => ({ name, figure: metrics[name] === undefined ? null : headline(metrics[name], kind) }));
    setText(this.lead, MEASURES[kind].lead);
    this.bars.replaceChildren(barsOf(MEASURES[kind].title, figures, this.bars.clientWidth));
    const [first = "", second = ""] = run.report === null ? [] : verdict(recipeOf(state), kind, metrics);
    setText(this.verdict, first);
    setText(this.more, second);
    this.table.replaceChildren(numbersTable(kind, chosen, metrics));
  }
}

function numbersTable(kind: TaskKind, rows: readonly RowName[], metrics: Partial<Record<RowName, Metrics>>): HTMLElement {
  const columns = COLUMNS[kind];
  const head = ["Row", MEASURES[kind].title, "95 % interval", ...columns.map(([title]) => title), "n"].map((title) => make("th", { scope: "col" }, title));
  const body = rows.map((row) => {
    const m = metrics[row];
    const name = make("th", { scope: "row", class: `row-${row}`, title: ROW_ABOUT[row] }, make("i", { class: "swatch" }), ROW_TITLES[row]);
    return make("tr", {}, name, ...(m === undefined ? head.slice(1).map(() => "–") : figures(kind, m)).map((cell) => make("td", {}, cell)));
  });
  return make("table", { class: "results" }, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...body));
}

/** What stands beside the figure that counts. */
const COLUMNS: Readonly<Record<TaskKind, readonly [string, (metrics: Metrics) => string][]>> = {
  classification: [["Macro-F1", (metrics) => metrics.macro_f1.toFixed(3)]],
  ner: [
    ["Precision", (metrics) => (metrics.precision === undefined ? "–" : percent(metrics.precision))],
    ["Recall", (metrics) => (metrics.recall === undefined ? "–" : percent(metrics.recall))],
  ],
  qa: [["F1 of words", (metrics) => (metrics.f1 === undefined ? "–" : percent(metrics.f1))]],
  instruct: [
    ["Loss", (metrics) => metrics.loss?.toFixed(3) ?? "–"],
    ["Perplexity", (metrics) => metrics.perplexity?.toFixed(2) ?? "–"],
  ],
};

function figures(kind: TaskKind, metrics: Metrics): string[] {
  const { value, low, high } = headline(metrics, kind);
  return [percent(value), `${(low * 100).toFixed(1)}–${percent(high)}`, ...COLUMNS[kind].map(([, of]) => of(metrics)), count(metrics.n)];
}
