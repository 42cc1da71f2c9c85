/** The stream of instances, with what became of each. */
import type { InstanceWritten } from "../events";
import type { State } from "../state";
import { count, refusalWords, ROW_TITLES } from "../words";
import { byId, emptyHint, make, setText } from "./dom";

type Show = "all" | "accepted" | "refused";

/** More rows than anybody reads would only slow the page down. */
const MOST_ROWS = 300;

export class InstancesPlace {
  private readonly list = byId("instances-list", HTMLOListElement);
  private readonly note = byId("instances-note", HTMLParagraphElement);
  private readonly counts = new Map<Show, HTMLElement>();
  private show: Show = "all";
  private seen: readonly InstanceWritten[] = [];
  private run = -1;
  private drawn = 0;
  private accepted = 0;
  private refusals = new Map<string, number>();

  constructor() {
    const filter = byId("instances-filter", HTMLDivElement);
    for (const [show, title] of [["all", "All"], ["accepted", "Accepted"], ["refused", "Refused"]] as const) {
      const radio = make("input", { type: "radio", name: "show-instances", value: show });
      radio.checked = show === this.show;
      radio.addEventListener("change", () => {
        this.show = show;
        this.redraw();
      });
      const number = make("span", { class: "count", id: `count-${show}` }, "0");
      this.counts.set(show, number);
      filter.append(make("label", {}, radio, `${title} `, number));
    }
  }

  draw({ run }: State): void {
    this.seen = run.instances;
    if (run.run !== this.run) {
      this.run = run.run;
      this.drawn = 0;
      this.accepted = 0;
      this.refusals.clear();
      this.redraw();
    }
    if (run.instances.length === this.drawn) {
      return;
    }
    const fresh = run.instances.slice(this.drawn);
    this.drawn = run.instances.length;
    for (const instance of fresh) {
      if (instance.accepted) {
        this.accepted += 1;
      } else {
        const refusal = instance.refusal ?? "other";
        this.refusals.set(refusal, (this.refusals.get(refusal) ?? 0) + 1);
      }
    }
    const visible = fresh.filter((instance) => this.matches(instance)).slice(-MOST_ROWS);
    if (visible.length > 0) {
      this.list.querySelector(".hint")?.parentElement?.remove();
      this.list.prepend(...visible.map(rowOf).reverse());
    }
    while (this.list.childElementCount > MOST_ROWS) {
      this.list.lastElementChild?.remove();
    }
    this.drawCounts();
  }

  private redraw(): void {
    const visible = this.seen.filter((instance) => this.matches(instance)).slice(-MOST_ROWS);
    const hint = make("li", { class: "bare" }, emptyHint(this.seen.length === 0 ? "They arrive here one by one." : "None of these."));
    this.list.replaceChildren(...(visible.length === 0 ? [hint] : visible.map(rowOf).reverse()));
    this.drawCounts();
  }

  private drawCounts(): void {
    const totals: Record<Show, number> = { all: this.drawn, accepted: this.accepted, refused: this.drawn - this.accepted };
    for (const [show, element] of this.counts) {
      setText(element, count(totals[show]));
    }
    const why = [...this.refusals].map(([refusal, number]) => `${refusalWords(refusal)} ${count(number)}`).join(", ");
    const more = totals[this.show] > MOST_ROWS ? ` The newest ${MOST_ROWS} are shown; the download has all.` : "";
    setText(this.note, why === "" ? more : `Refused: ${why}.${more}`);
  }

  private matches(instance: InstanceWritten): boolean {
    return this.show === "all" || instance.accepted === (this.show === "accepted");
  }
}

function rowOf(instance: InstanceWritten): HTMLElement {
  const verdict = instance.accepted ? "accepted" : `refused: ${instance.reason ?? "no reason given"}`;
  return make(
    "li",
    { "data-accepted": String(instance.accepted) },
    make("p", {}, instance.text),
    make(
      "p",
      { class: "meta" },
      make("span", { class: "outcome" }, verdict),
      make("span", { class: "tag tag-label" }, instance.label),
      make("span", {}, ROW_TITLES[instance.row]),
    ),
  );
}
