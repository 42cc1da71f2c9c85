/** The principles, by level. */
import type { Principle, Verdict } from "#seedbed/events";
import type { State } from "../state";
import { plural } from "../words";
import { byId, emptyHint, make } from "./dom";

const LEVELS: readonly { level: Principle["level"]; title: string; about: string }[] = [
  { level: "task", title: "The task", about: "what makes an answer right" },
  { level: "label", title: "Each label", about: "what belongs to it, what it is confused with" },
  { level: "instance", title: "Each instance", about: "what to vary, what to avoid" },
];

export class PrinciplesPlace {
  private readonly box = byId("principles-box", HTMLDivElement);
  private lists = new Map<Principle["level"], HTMLUListElement>();
  private run = -1;
  private drawn = 0;
  private items = new Map<string, HTMLElement>();
  private judged = 0;

  /** Shows one level alone; all of them for "". */
  showLevel(level: string): void {
    this.box.dataset["level"] = level;
  }

  draw({ run }: State): void {
    if (run.run !== this.run) {
      this.run = run.run;
      this.drawn = 0;
      this.judged = 0;
      this.items.clear();
      this.lists.clear();
      this.box.replaceChildren(emptyHint("They appear here as soon as a run begins."));
    }
    if (this.drawn === 0 && run.principles.length > 0) {
      this.box.replaceChildren(...LEVELS.map((level) => this.level(level)));
    }
    for (const principle of run.principles.slice(this.drawn)) {
      const line = item(principle, run.bornIn.get(principle.id));
      this.items.set(principle.id, line);
      this.lists.get(principle.level)?.append(line);
    }
    this.drawn = run.principles.length;
    if (run.verdicts.size !== this.judged) {
      this.judged = run.verdicts.size;
      for (const verdict of run.verdicts.values()) {
        judge(this.items.get(verdict.id), verdict);
      }
    }
  }

  private level({ level, title, about }: (typeof LEVELS)[number]): HTMLElement {
    const list = make("ul", { class: "principles" });
    this.lists.set(level, list);
    return make("section", { "data-level": level }, make("h3", {}, title, make("small", {}, about)), list);
  }
}

const REASONS: Record<Verdict["reason"], string> = {
  kept: "used",
  no_gain: "left out: the seeds are no likelier with it",
  redundant: "left out: those before it say as much",
  no_room: "left out: no room",
};

/** Writes the seeds' verdict behind a principle. */
function judge(line: HTMLElement | undefined, { reason, votes }: Verdict): void {
  if (line === undefined || line.dataset["verdict"] !== undefined) {
    return;
  }
  line.dataset["verdict"] = reason;
  line.append(make("small", {}, `${plural(votes, "seed")} ${votes === 1 ? "votes" : "vote"} for it; ${REASONS[reason]}`));
}

function item(principle: Principle, round: number | undefined): HTMLElement {
  const about = principle.label ?? principle.attribute ?? null;
  const values = (principle.values ?? []).map((value) => make("span", { class: "tag" }, value));
  return make(
    "li",
    { "data-polarity": principle.polarity },
    make("span", { class: "polarity" }, principle.polarity === "do" ? "Do" : "Avoid"),
    about === null ? null : make("span", { class: "tag tag-label" }, about),
    make("span", {}, principle.text),
    ...values,
    round === undefined ? null : make("span", { class: "tag" }, `new in round ${round}`),
    principle.support > 0 ? make("small", {}, `seen in ${plural(principle.support, "seed")}`) : null,
  );
}
