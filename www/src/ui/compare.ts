/** Several stored runs side by side: what was set differently, and what came of it. */
import { ALL_ROWS, RECIPES } from "../recipe/recipes";
import type { RunView } from "../run-view";
import { bytes, count, percent, ROW_TITLES } from "../words";
import { make, meter } from "./dom";

export interface Compared {
  when: string;
  /** As in the page's address. */
  settings: string;
  run: RunView;
}

/** A table with a column for each run; what is alike in all of them is not repeated. */
export function comparison(runs: readonly Compared[]): HTMLElement {
  const head = runs.map(({ when }) => make("th", { scope: "col" }, when));
  const line = (title: string, cells: readonly (string | HTMLElement)[]) =>
    make("tr", {}, make("th", { scope: "row" }, title), ...cells.map((cell) => make("td", {}, cell)));
  const lines = [
    line("Task", runs.map(({ run }) => run.started?.task ?? "–")),
    line("Recipe", runs.map(({ run }) => RECIPES[run.started?.recipe ?? "psi"].title)),
    line("Model", runs.map(({ run }) => run.started?.model ?? "–")),
    ...settingLines(runs).map(([name, values]) => line(name, values)),
  ];
  for (const row of ALL_ROWS.filter((each) => runs.some(({ run }) => run.rows[each] !== undefined))) {
    lines.push(line(ROW_TITLES[row], runs.map(({ run }) => accuracy(run, row))));
  }
  lines.push(
    line("Instances kept of written", runs.map(({ run }) => `${count(run.instances.filter((instance) => instance.accepted).length)} of ${count(run.instances.length)}`)),
    line("Time", runs.map(({ run }) => (run.report === null ? "not ended" : `${count(Object.values(run.report.seconds).reduce((sum, seconds) => sum + seconds, 0))} s`))),
    line("Sent to a teacher", runs.map(({ run }) => (run.report === null ? "–" : bytes(run.report.teacher.bytes)))),
  );
  return make("table", { class: "compared" }, make("thead", {}, make("tr", {}, make("td"), ...head)), make("tbody", {}, ...lines));
}

function accuracy({ rows }: RunView, row: keyof RunView["rows"]): HTMLElement {
  const metrics = rows[row]?.metrics;
  if (metrics === undefined) {
    return make("span", {}, "–");
  }
  const words = `${(metrics.low * 100).toFixed(0)} to ${(metrics.high * 100).toFixed(0)}, n ${count(metrics.n)}`;
  return make("div", { class: `row-${row}` }, make("b", {}, percent(metrics.accuracy)), meter(metrics.accuracy, `${ROW_TITLES[row]}: ${percent(metrics.accuracy)}`), make("small", {}, words));
}

/** The settings that are not the same in all runs. */
function settingLines(runs: readonly Compared[]): [string, string[]][] {
  const queries = runs.map(({ settings }) => new URLSearchParams(settings));
  const names = [...new Set(queries.flatMap((query) => [...query.keys()]))].filter((name) => !["task", "recipe", "rows"].includes(name));
  return names
    .map((name): [string, string[]] => [name, queries.map((query) => query.get(name) ?? "usual")])
    .filter(([, values]) => new Set(values).size > 1);
}
