/** What was taken for what: a grid that can be walked by arrow keys, and what is behind the chosen cell. */
import type { RowName, TaskKind } from "#seedbed/events";
import { sum } from "../result/per-class";
import { weaknessWords } from "../result/verdict";
import type { RunView } from "../run-view";
import { ALL_ROWS } from "../recipe/recipes";
import type { State } from "../state";
import { count, percent, ROW_TITLES } from "../words";
import { byId, emptyHint, make, meter, setText } from "./dom";

interface Cell {
  gold: number;
  predicted: number;
}

/** So many examples of a cell are shown at most. */
const MOST_EXAMPLES = 8;

export class ConfusionPlace {
  private readonly row = byId("confusion-row", HTMLSelectElement);
  private readonly box = byId("confusion-table", HTMLDivElement);
  private readonly detail = byId("confusion-detail", HTMLDivElement);
  private readonly weakness = byId("confusion-words", HTMLParagraphElement);
  private run: RunView | null = null;
  private drawn = "";
  private cell: Cell | null = null;
  private cells: HTMLTableCellElement[][] = [];
  /** The visitor picked a row to look at; until then the newest measured one is shown. */
  private rowWasChosen = false;

  constructor() {
    this.row.addEventListener("change", () => {
      this.rowWasChosen = true;
      this.drawTable();
    });
    this.box.addEventListener("click", (event) => this.clicked(event));
    this.box.addEventListener("keydown", (event) => this.pressed(event));
  }

  draw({ run }: State): void {
    const measured = ALL_ROWS.filter((row) => run.rows[row] !== undefined);
    const key = `${run.run}:${measured.join(",")}`;
    if (key === this.drawn) {
      return;
    }
    if (run.run !== this.run?.run) {
      this.cell = null;
      this.rowWasChosen = false;
    }
    this.run = run;
    this.drawn = key;
    const before = this.row.value;
    this.row.replaceChildren(...measured.map((row) => make("option", { value: row }, ROW_TITLES[row])));
    this.row.disabled = measured.length === 0;
    const chosen = this.rowWasChosen ? measured.find((row) => row === before) : undefined;
    this.row.value = chosen ?? measured.at(-1) ?? "";
    this.drawTable();
  }

  /** Shows another row, as the tour's knob does. */
  show(row: RowName): void {
    this.row.value = row;
    this.rowWasChosen = true;
    this.drawTable();
  }

  private drawTable(): void {
    const result = this.run?.rows[this.row.value as RowName];
    const labels = this.run?.started?.labels;
    if (labels === undefined || result === undefined) {
      this.cells = [];
      this.box.replaceChildren(emptyHint("A table of true labels against answers, once a row is measured."));
      setText(this.weakness, "");
      this.detail.replaceChildren();
      return;
    }
    const focused = this.box.contains(document.activeElement) && document.activeElement !== this.box;
    this.box.replaceChildren(this.table(labels, result.confusion));
    setText(this.weakness, `${noteOf(this.run?.started?.kind, labels)}${weaknessWords(labels, result)}`);
    this.choose(this.cell, focused);
  }

  private table(labels: readonly string[], counts: readonly (readonly number[])[]): HTMLElement {
    // Long label names would make the table wider than any screen, so the columns carry numbers and the rows both.
    const head = labels.map((label, index) => make("th", { scope: "col", title: label, "aria-label": label }, String(index + 1)));
    this.cells = counts.map((row, gold) => row.map((value, predicted) => cellOf(labels, { gold, predicted }, value, sum(row))));
    const body = this.cells.map((row, gold) =>
      make("tr", {}, make("th", { scope: "row" }, make("small", {}, String(gold + 1)), labels[gold] ?? ""), ...row),
    );
    const corner = make("th", { scope: "col" }, "True label ↓ answer →");
    return make(
      "table",
      { class: "confusion", role: "grid", "aria-label": `What ${this.row.selectedOptions[0]?.text ?? ""} takes for what` },
      make("thead", {}, make("tr", {}, corner, ...head)),
      make("tbody", {}, ...body),
    );
  }

  /** One cell of the grid is in the order of Tab; the arrow keys move which. */
  private choose(cell: Cell | null, focus: boolean): void {
    this.cell = cell;
    for (const [gold, row] of this.cells.entries()) {
      for (const [predicted, element] of row.entries()) {
        const here = cell?.gold === gold && cell.predicted === predicted;
        element.tabIndex = here || (cell === null && gold === 0 && predicted === 0) ? 0 : -1;
        element.setAttribute("aria-selected", String(here));
        if (here && focus) {
          element.focus();
        }
      }
    }
    this.drawDetail();
  }

  private clicked(event: MouseEvent): void {
    const cell = this.placeOf(event.target);
    if (cell !== null) {
      this.choose(cell, true);
    }
  }

  private pressed(event: KeyboardEvent): void {
    const from = this.placeOf(event.target);
    if (from === null) {
      return;
    }
    const last = this.cells.length - 1;
    const moves: Record<string, Cell> = {
      ArrowUp: { ...from, gold: from.gold - 1 },
      ArrowDown: { ...from, gold: from.gold + 1 },
      ArrowLeft: { ...from, predicted: from.predicted - 1 },
      ArrowRight: { ...from, predicted: from.predicted + 1 },
      Home: { ...from, predicted: 0 },
      End: { ...from, predicted: (this.cells[from.gold]?.length ?? 1) - 1 },
      PageUp: { ...from, gold: 0 },
      PageDown: { ...from, gold: last },
      Enter: from,
      " ": from,
    };
    const to = moves[event.key];
    if (to === undefined) {
      return;
    }
    event.preventDefault();
    if (this.cells[to.gold]?.[to.predicted] !== undefined) {
      this.choose(to, true);
    }
  }

  private placeOf(target: EventTarget | null): Cell | null {
    const element = target instanceof Element ? target.closest("td") : null;
    for (const [gold, row] of this.cells.entries()) {
      const predicted = element === null ? -1 : row.indexOf(element);
      if (predicted >= 0) {
        return { gold, predicted };
      }
    }
    return null;
  }

  private drawDetail(): void {
    const { run, cell } = this;
    const labels = run?.started?.labels;
    if (run === null || labels === undefined || cell === null) {
      this.detail.replaceChildren(emptyHint("Choose a cell to see how each row fares there."));
      return;
    }
    const gold = labels[cell.gold] ?? "";
    const predicted = labels[cell.predicted] ?? "";
    const right = cell.gold === cell.predicted;
    const lines = ALL_ROWS.flatMap((row) => {
      const confusion = run.rows[row]?.confusion;
      if (confusion === undefined) {
        return [];
      }
      const there = confusion[cell.gold]?.[cell.predicted] ?? 0;
      const total = sum(confusion[cell.gold]);
      const back = right ? "" : `, the other way round ${count(confusion[cell.predicted]?.[cell.gold] ?? 0)}`;
      const part = total === 0 ? 0 : there / total;
      return [
        make(
          "li",
          { class: `row-${row}`, "data-row": row },
          make("span", {}, make("i", { class: "swatch" }), ROW_TITLES[row]),
          meter(part, `${ROW_TITLES[row]}: ${percent(part)}`),
          make("span", {}, `${count(there)} of ${count(total)}${back}`),
        ),
      ];
    });
    const title = make(
      "p",
      { class: "pair" },
      make("span", { class: "tag tag-label" }, gold),
      right ? " answered rightly" : " taken for ",
      right ? null : make("span", { class: "tag" }, predicted),
    );
    this.detail.replaceChildren(title, make("ul", { class: "pair-rows" }, ...lines), ...this.examples(run, cell));
  }

  /** The test rows behind a cell, of the row that is shown. */
  private examples({ rows, tested }: RunView, { gold, predicted }: Cell): HTMLElement[] {
    const result = rows[this.row.value as RowName];
    const found = tested
      .map((row, at) => ({ ...row, at }))
      .filter(({ label, at }) => label === gold && result?.predicted[at] === predicted)
      .slice(0, MOST_EXAMPLES)
      .map(({ text, answer, at }) => {
        const said = result?.answers[at];
        return make("li", {}, text, said === undefined ? null : make("small", {}, said === answer ? ` ${said}` : ` ${said || "nothing"}, rightly ${answer ?? ""}`));
      });
    return found.length === 0 ? [] : [make("ul", { class: "examples", "aria-label": "Test rows" }, ...found)];
  }
}

/** How to read the table where it counts something else than texts. */
function noteOf(kind: TaskKind | undefined, labels: readonly string[]): string {
  if (kind === "ner") {
    return "Entities are counted: what was missed stands under “no entity”, what was invented beside it. ";
  }
  if (kind === "instruct") {
    return "Free responses are all of one group, so there is nothing to mistake; each stands here with the one that was wanted. ";
  }
  // Open questions have no labels, but forms that answers have.
  return kind === "qa" && labels.includes("a few words") ? "Answers are counted by their form: a wrong one of the right form stands on the diagonal too. " : "";
}

function cellOf(labels: readonly string[], { gold, predicted }: Cell, value: number, total: number): HTMLTableCellElement {
  const share = Math.ceil((value / Math.max(1, total)) * 5);
  const kind = value === 0 ? "none" : gold === predicted ? "right" : "wrong";
  const title = `${labels[gold] ?? ""} taken for ${labels[predicted] ?? ""}: ${value}`;
  return make("td", { "data-kind": kind, "data-share": String(share), title }, value === 0 ? "·" : count(value));
}
