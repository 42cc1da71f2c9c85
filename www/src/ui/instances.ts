/** The stream of instances, with what became of each, and the visitor's own hand in it. */
import type { InstanceWritten } from "#seedbed/events";
import { change, type Edit, edited, type Instance, tally } from "../instances/edits";
import type { RunView } from "../run-view";
import type { State, Store } from "../state";
import { count, plural, refusalWords } from "../words";
import { byId, emptyHint, make, setText } from "./dom";
import { instanceRow, type Open } from "./instance-row";

export type Show = "all" | "accepted" | "refused" | "edited";

/** More rows than anybody reads would only slow the page down; the end of the list has more. */
const MOST_ROWS = 300;
/** Rows that are made at once; the rest follows while the page can breathe. */
const AT_ONCE = 40;

export class InstancesPlace {
  private readonly list = byId("instances-list", HTMLOListElement);
  private readonly note = byId("instances-note", HTMLParagraphElement);
  private readonly search = byId("instances-search", HTMLInputElement);
  private readonly label = byId("instances-label", HTMLSelectElement);
  private readonly radios = new Map<Show, HTMLInputElement>();
  private readonly counts = new Map<Show, HTMLElement>();
  private show: Show = "all";
  private run: RunView | null = null;
  private edits = 0;
  private readOnly = false;
  private drawn = 0;
  private accepted = 0;
  private refusals = new Map<string, number>();
  /** The row that is open, by its instance's place. */
  private open: number | null = null;
  /** Rows in the list, and how many there may be. */
  private listed = 0;
  private limit = MOST_ROWS;
  /** The instance that is looked at next while the list is filled, downwards. */
  private next = -1;
  private filling = 0;

  constructor(
    private readonly store: Store,
    private readonly edited: () => void,
  ) {
    const filter = byId("instances-filter", HTMLDivElement);
    for (const [show, title] of [["all", "All"], ["accepted", "Accepted"], ["refused", "Refused"], ["edited", "Changed"]] as const) {
      const radio = make("input", { type: "radio", name: "show-instances", value: show });
      radio.checked = show === this.show;
      radio.addEventListener("change", () => this.showOnly(show));
      const number = make("span", { class: "count", id: `count-${show}` }, "0");
      this.radios.set(show, radio);
      this.counts.set(show, number);
      filter.append(make("label", {}, radio, `${title} `, number));
    }
    this.search.addEventListener("input", () => this.filter());
    this.label.addEventListener("change", () => this.filter());
    this.list.addEventListener("click", (event) => {
      // The words of a row open it too; its button is there for the keyboard.
      const row = event.target instanceof Element && event.target.closest("p.text") !== null ? event.target.closest("li") : null;
      if (row?.dataset.index !== undefined) {
        this.toggle(Number(row.dataset.index));
      }
    });
  }

  showOnly(show: Show): void {
    this.show = show;
    for (const [name, radio] of this.radios) {
      radio.checked = name === show;
    }
    this.filter();
  }

  private filter(): void {
    this.limit = MOST_ROWS;
    this.redraw();
  }

  draw({ run, readOnly }: State): void {
    if (readOnly !== this.readOnly) {
      this.readOnly = readOnly;
      this.replaceRow(this.open);
    }
    if (run.run !== this.run?.run) {
      this.run = run;
      this.drawn = 0;
      this.accepted = 0;
      this.open = null;
      this.refusals.clear();
      this.drawLabels([]);
      this.filter();
    }
    this.drawLabels(run.started?.labels ?? []);
    if (run.editCount !== this.edits) {
      this.edits = run.editCount;
      this.redraw();
    }
    if (run.instances.length === this.drawn) {
      return;
    }
    const first = this.drawn;
    const fresh = run.instances.slice(first);
    this.drawn = run.instances.length;
    for (const instance of fresh) {
      this.tell(instance);
    }
    if (fresh.length > AT_ONCE) {
      this.redraw();
      return;
    }
    const visible = this.visible(first);
    if (visible.length > 0) {
      this.list.querySelector(".hint")?.parentElement?.remove();
      this.list.prepend(...visible);
      this.listed += visible.length;
    }
    while (this.listed > this.limit) {
      [...this.list.querySelectorAll(":scope > li[data-index]")].at(-1)?.remove();
      this.listed -= 1;
      this.addMore();
    }
    this.drawCounts();
  }

  private tell(instance: InstanceWritten): void {
    if (instance.accepted) {
      this.accepted += 1;
    } else {
      const refusal = instance.refusal ?? "other";
      this.refusals.set(refusal, (this.refusals.get(refusal) ?? 0) + 1);
    }
  }

  private drawLabels(labels: readonly string[]): void {
    if (this.label.childElementCount !== labels.length + 1) {
      const every = make("option", { value: "" }, "Every label");
      this.label.replaceChildren(every, ...labels.map((label) => make("option", { value: label }, label)));
    }
  }

  private redraw(): void {
    this.filling += 1;
    this.listed = 0;
    this.next = this.drawn - 1;
    const rows = this.take();
    const hint = make("li", { class: "bare" }, emptyHint(this.drawn === 0 ? "They arrive here one by one." : "None of these."));
    this.list.replaceChildren(...(rows.length === 0 ? [hint] : rows));
    this.drawCounts();
    void this.fill(this.filling);
  }

  /** The rest of the rows, a few at a time; whatever draws the list anew ends it. */
  private async fill(turn: number): Promise<void> {
    this.list.setAttribute("aria-busy", "true");
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve));
      if (turn !== this.filling) {
        return;
      }
      const rows = this.take();
      if (rows.length === 0) {
        break;
      }
      this.list.append(...rows);
    }
    this.list.removeAttribute("aria-busy");
    while (this.next >= 0 && !this.isSeen(this.next)) {
      this.next -= 1;
    }
    if (this.next >= 0) {
      this.addMore();
    }
  }

  /** The next few rows for the end of the list. */
  private take(): HTMLElement[] {
    const rows: HTMLElement[] = [];
    for (; this.next >= 0 && rows.length < AT_ONCE && this.listed < this.limit; this.next -= 1) {
      const row = this.seen(this.next);
      if (row !== null) {
        rows.push(row);
        this.listed += 1;
      }
    }
    return rows;
  }

  /** The way on, at the end of the list. */
  private addMore(): void {
    if (this.list.querySelector(":scope > .more") === null) {
      const button = make("button", { type: "button", class: "small" }, `${MOST_ROWS} more`);
      button.addEventListener("click", () => {
        const last = [...this.list.querySelectorAll<HTMLElement>(":scope > li[data-index]")].at(-1);
        this.limit += MOST_ROWS;
        button.parentElement?.remove();
        this.next = Number(last?.dataset["index"] ?? this.drawn) - 1;
        this.filling += 1;
        const rows = this.take();
        this.list.append(...rows);
        rows[0]?.querySelector<HTMLElement>("[aria-expanded]")?.focus();
        this.drawCounts();
        void this.fill(this.filling);
      });
      this.list.append(make("li", { class: "bare more" }, button));
    }
  }

  /** Rows of what was written from `first` on and is to be seen, the newest first. */
  private visible(first: number): HTMLElement[] {
    const rows = Array.from({ length: this.drawn - first }, (_, at) => this.seen(this.drawn - 1 - at));
    return rows.filter((row) => row !== null);
  }

  private isSeen(index: number): boolean {
    const instance = this.instance(index);
    return instance !== null && this.matches(instance);
  }

  private seen(index: number): HTMLElement | null {
    const instance = this.instance(index);
    return instance !== null && this.matches(instance) ? this.row(instance, index) : null;
  }

  private instance(index: number): Instance | null {
    const written = this.run?.instances[index];
    return written === undefined ? null : edited(written, this.run?.edits.get(index));
  }

  private row(instance: Instance, index: number): HTMLElement {
    return instanceRow(instance, index, index === this.open ? this.opened() : null, {
      toggled: (at) => this.toggle(at),
      changed: (at, edit) => this.change(at, edit),
    });
  }

  private opened(): Open {
    return {
      readOnly: this.readOnly,
      labels: this.run?.started?.labels ?? [],
      principles: new Map((this.run?.principles ?? []).map((principle) => [principle.id, principle])),
    };
  }

  private toggle(index: number): void {
    const before = this.open;
    this.open = before === index ? null : index;
    for (const at of new Set([before, index])) {
      this.replaceRow(at);
    }
    this.list.querySelector<HTMLElement>(`li[data-index="${index}"] [aria-expanded]`)?.focus();
  }

  private replaceRow(index: number | null): void {
    const row = index === null ? null : this.list.querySelector(`li[data-index="${index}"]`);
    const instance = index === null ? null : this.instance(index);
    if (row !== null && index !== null && instance !== null) {
      row.replaceWith(this.row(instance, index));
    }
  }

  private change(index: number, edit: Edit): void {
    const written = this.run?.instances[index];
    if (written === undefined) {
      return;
    }
    this.store.update(({ run }) => {
      change(run.edits, index, written, edit);
      run.editCount += 1;
      this.edits = run.editCount;
    });
    this.edited();
    // Only this row is drawn anew: it keeps its place even where it no longer fits the filter.
    this.open = null;
    this.replaceRow(index);
    this.drawCounts();
    this.list.querySelector<HTMLElement>(`li[data-index="${index}"] [aria-expanded]`)?.focus();
  }

  private drawCounts(): void {
    const edits = this.run?.edits ?? new Map<number, Edit>();
    const totals: Record<Show, number> = { all: this.drawn, accepted: this.accepted, refused: this.drawn - this.accepted, edited: edits.size };
    for (const [show, element] of this.counts) {
      setText(element, count(totals[show]));
    }
    const why = [...this.refusals].map(([refusal, number]) => `${refusalWords(refusal)} ${count(number)}`).join(", ");
    const more = totals[this.show] > this.limit ? ` The newest ${count(this.limit)} are shown; the end of the list has more, the download all.` : "";
    const yours = tally(edits);
    const changed = edits.size === 0 ? "" : ` By you: ${plural(yours.edited, "one", "ones")} edited, ${count(yours.deleted)} deleted; the downloads follow.`;
    setText(this.note, `${why === "" ? "" : `Refused: ${why}.`}${more}${changed}`.trim());
  }

  private matches(instance: Instance): boolean {
    const wanted = this.search.value.trim().toLowerCase();
    return (
      (this.show === "all" ||
        (this.show === "edited" ? instance.edited || instance.deleted : instance.accepted === (this.show === "accepted"))) &&
      (this.label.value === "" || instance.label === this.label.value) &&
      (wanted === "" || instance.text.toLowerCase().includes(wanted))
    );
  }
}
