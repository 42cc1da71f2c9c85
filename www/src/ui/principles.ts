/** The principles, by level. */
import type { Principle } from "../events";
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

  /** Shows one level alone; all of them for "". */
  showLevel(level: string): void {
    this.box.dataset["level"] = level;
  }

  draw({ run }: State): void {
    if (run.run !== this.run) {
      this.run = run.run;
      this.drawn = 0;
      this.lists.clear();
      this.box.replaceChildren(emptyHint("They appear here as soon as a run begins."));
    }
    if (this.drawn === 0 && run.principles.length > 0) {
      this.box.replaceChildren(...LEVELS.map((level) => this.level(level)));
    }
    for (const principle of run.principles.slice(this.drawn)) {
      this.lists.get(principle.level)?.append(item(principle));
    }
    this.drawn = run.principles.length;
  }

  private level({ level, title, about }: (typeof LEVELS)[number]): HTMLElement {
    const list = make("ul", { class: "principles" });
    this.lists.set(level, list);
    return make("section", { "data-level": level }, make("h3", {}, title, make("small", {}, about)), list);
  }
}

function item(principle: Principle): HTMLElement {
  const about = principle.label ?? principle.attribute ?? null;
  const values = (principle.values ?? []).map((value) => make("span", { class: "tag" }, value));
  return make(
    "li",
    { "data-polarity": principle.polarity },
    make("span", { class: "polarity" }, principle.polarity === "do" ? "Do" : "Avoid"),
    about === null ? null : make("span", { class: "tag tag-label" }, about),
    make("span", {}, principle.text),
    ...values,
    principle.support > 0 ? make("small", {}, `seen in ${plural(principle.support, "seed")}`) : null,
  );
}
