/** The visitor's seeds as a table, beside the text box they come from. The text stays what counts. */
import { type Check, checkRows, FINDING_TITLES } from "../task/checks";
import type { TaskKind } from "#seedbed/events";
import { entityTypes, unmarked } from "../task/entities";
import { type LabelledRow, readRows, writeRows } from "../task/rows";
import { count } from "../words";
import { byId, emptyHint, make, setText } from "./dom";

const PAGE = 25;
const CHECK_AFTER_MS = 250;
/** Beyond this the text box alone is quicker than any table. */
const MOST_CHARACTERS = 4_000_000;

const HEADS: Readonly<Record<TaskKind, readonly string[]>> = {
  classification: ["Text", "Label"],
  ner: ["Text, entities as [London](city)"],
  qa: ["Question", "Answer"],
  instruct: ["Instruction", "Response"],
};

export class SeedsTable {
  private readonly box = byId("own-table", HTMLFieldSetElement);
  private readonly grid = byId("own-grid", HTMLDivElement);
  private readonly textBox = byId("own-text", HTMLDivElement);
  private readonly pager = byId("own-pager", HTMLDivElement);
  private readonly where = byId("own-where", HTMLSpanElement);
  private readonly checks = byId("own-checks", HTMLUListElement);
  private readonly labels = byId("own-labels", HTMLDataListElement);
  private readonly previous = byId("own-previous", HTMLButtonElement);
  private readonly next = byId("own-next", HTMLButtonElement);
  /** What an answer is. */
  kind: TaskKind = "classification";
  private rows: LabelledRow[] = [];
  private check: Check | null = null;
  private page = 0;
  private asTable = false;
  private checksBegun = 0;
  private planned: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly seeds: HTMLTextAreaElement,
    private readonly test: HTMLTextAreaElement,
    private readonly edited: () => void,
  ) {
    for (const radio of byId("own-view", HTMLDivElement).querySelectorAll("input")) {
      radio.addEventListener("change", () => this.view(radio.value === "table"));
    }
    byId("own-add", HTMLButtonElement).addEventListener("click", () => this.add());
    this.previous.addEventListener("click", () => this.turn(-1));
    this.next.addEventListener("click", () => this.turn(1));
    this.grid.addEventListener("input", (event) => this.typed(event.target));
    this.grid.addEventListener("click", (event) => this.clicked(event.target));
  }

  set busy(busy: boolean) {
    this.box.disabled = busy;
  }

  /** The text has changed: by typing, by a file, by an example. */
  changed(): void {
    this.read();
    if (this.asTable) {
      this.draw();
    }
    this.plan();
  }

  private view(asTable: boolean): void {
    this.asTable = asTable;
    this.box.hidden = !asTable;
    this.textBox.hidden = asTable;
    if (asTable) {
      this.page = 0;
      this.read();
      this.draw();
      this.plan();
    }
  }

  private problem: string | null = null;

  private read(): void {
    const text = this.seeds.value;
    const read = text.length > MOST_CHARACTERS ? { problem: "This is too much text for a table; it can be run all the same." } : readRows(text, this.kind);
    this.problem = "problem" in read ? read.problem : null;
    this.rows = "problem" in read ? [] : read.rows;
    this.check = null;
  }

  /** The table's rows become the text. */
  private write(): void {
    this.seeds.value = writeRows(this.rows, this.kind);
    this.edited();
    this.plan();
  }

  private draw(): void {
    const pages = Math.max(1, Math.ceil(this.rows.length / PAGE));
    this.page = Math.min(this.page, pages - 1);
    const first = this.page * PAGE;
    const shown = this.rows.slice(first, first + PAGE);
    const labels = this.kind === "ner" ? [] : [...new Set(this.rows.map((row) => row.label).filter((label) => label !== ""))].slice(0, 200);
    this.labels.replaceChildren(...labels.map((label) => make("option", { value: label })));
    this.previous.disabled = this.page === 0;
    this.next.disabled = this.page >= pages - 1;
    this.pager.hidden = pages === 1;
    setText(this.where, `${count(first + 1)} to ${count(first + shown.length)} of ${count(this.rows.length)}`);
    if (this.problem !== null || shown.length === 0) {
      this.grid.replaceChildren(emptyHint(this.problem ?? "No seeds yet: add a row."));
      return;
    }
    const head = ["#", ...HEADS[this.kind], "Check", ""].map((title) => make("th", { scope: "col" }, title));
    const body = shown.map((row, index) => this.row(row, first + index));
    this.grid.replaceChildren(make("table", { class: "seeds" }, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...body)));
    this.drawFindings();
  }

  private row(row: LabelledRow, index: number): HTMLElement {
    const number = String(index + 1);
    const text = make("textarea", { rows: "1", "data-field": "text", "aria-label": `Words of row ${number}` });
    text.value = row.text;
    if (this.kind === "ner") {
      return this.line(index, text);
    }
    const label = make("input", { type: "text", list: "own-labels", "data-field": "label", "aria-label": `Its label, row ${number}`, autocomplete: "off" });
    label.value = row.label;
    return this.line(index, text, label);
  }

  private line(index: number, ...fields: HTMLElement[]): HTMLElement {
    const number = String(index + 1);
    return make(
      "tr",
      { "data-index": String(index) },
      make("th", { scope: "row" }, number),
      ...fields.map((field) => make("td", {}, field)),
      make("td", { class: "findings" }),
      make("td", {}, make("button", { type: "button", class: "link", "aria-label": `Remove row ${number}` }, "Remove")),
    );
  }

  private drawFindings(): void {
    for (const element of this.grid.querySelectorAll<HTMLElement>("tr[data-index]")) {
      const own = [...(this.check?.findings[Number(element.dataset["index"])] ?? [])];
      element.toggleAttribute("data-wrong", own.length > 0);
      const cell = element.querySelector<HTMLElement>(".findings");
      if (cell !== null) {
        setText(cell, own.map((finding) => FINDING_TITLES[finding]).join(", "));
      }
    }
  }

  private typed(target: EventTarget | null): void {
    const place = this.placeOf(target);
    const row = place === null ? undefined : this.rows[place];
    if (row === undefined || !(target instanceof HTMLTextAreaElement || target instanceof HTMLInputElement)) {
      return;
    }
    row[target.dataset["field"] === "label" ? "label" : "text"] = target.value;
    if (this.kind === "ner") {
      row.label = entityTypes(unmarked(row.text));
    }
    this.write();
  }

  private clicked(target: EventTarget | null): void {
    const place = target instanceof HTMLButtonElement ? this.placeOf(target) : null;
    if (place !== null) {
      this.rows.splice(place, 1);
      this.write();
      this.draw();
      const buttons = this.grid.querySelectorAll("button");
      (buttons[Math.min(place - this.page * PAGE, buttons.length - 1)] ?? byId("own-add", HTMLButtonElement)).focus();
    }
  }

  private add(): void {
    if (this.problem !== null) {
      return;
    }
    this.rows.push({ text: "", label: this.kind === "classification" ? (this.rows.at(-1)?.label ?? "") : "" });
    this.page = Math.floor((this.rows.length - 1) / PAGE);
    this.draw();
    this.write();
    [...this.grid.querySelectorAll("textarea")].at(-1)?.focus();
  }

  private turn(by: number): void {
    this.page += by;
    this.draw();
  }

  private placeOf(target: EventTarget | null): number | null {
    const row = target instanceof Element ? target.closest<HTMLElement>("tr[data-index]") : null;
    return row === null ? null : Number(row.dataset["index"]);
  }

  private plan(): void {
    clearTimeout(this.planned);
    this.planned = setTimeout(() => void this.runChecks(), CHECK_AFTER_MS);
  }

  private async runChecks(): Promise<void> {
    const begun = ++this.checksBegun;
    const read = this.test.value.length > MOST_CHARACTERS ? { rows: [] } : readRows(this.test.value, this.kind);
    const check = await checkRows(this.kind, this.rows, "rows" in read ? read.rows : [], () => begun !== this.checksBegun);
    if (check === null) {
      return;
    }
    this.check = check;
    const lines = this.rows.length < 2 ? [] : check.lines;
    this.checks.replaceChildren(...lines.map(({ good, text }) => make("li", { "data-good": String(good) }, text)));
    this.drawFindings();
  }
}
