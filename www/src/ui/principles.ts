/** The principles, by level, with what the rounds made of them. */
import type { Principle, Verdict } from "#seedbed/events";
import { type Fate, rounds } from "../principles/fates";
import type { RunView } from "../run-view";
import type { State } from "../state";
import { count, plural } from "../words";
import { byId, emptyHint, make, setText } from "./dom";

const LEVELS: readonly { level: Principle["level"]; title: string; about: string }[] = [
  { level: "task", title: "The task", about: "what makes an answer right" },
  { level: "label", title: "Each label", about: "what belongs to it, what it is confused with" },
  { level: "instance", title: "Each instance", about: "what to vary, what to avoid" },
];

export class PrinciplesPlace {
  private readonly box = byId("principles-box", HTMLDivElement);
  private readonly line = byId("principles-rounds", HTMLDivElement);
  private readonly show = byId("principles-show", HTMLSelectElement);
  private readonly said = byId("principles-said", HTMLParagraphElement);
  private run: RunView | null = null;
  private drawn = "";

  constructor() {
    this.show.addEventListener("change", () => this.drawList());
  }

  /** Shows one level alone; all of them for "". */
  showLevel(level: string): void {
    this.box.dataset["level"] = level;
  }

  draw({ run }: State): void {
    const key = `${run.run}:${run.principles.length}:${run.verdicts.size}`;
    if (key === this.drawn) {
      return;
    }
    if (run.run !== this.run?.run) {
      this.show.value = "all";
    }
    this.drawn = key;
    this.run = run;
    this.drawRounds(run.fates);
    this.drawList();
  }

  /** What the rounds changed, where later ones changed anything. */
  private drawRounds(fates: readonly Fate[]): void {
    const found = rounds(fates);
    this.line.hidden = found.length === 0;
    const before = this.show.value;
    this.show.replaceChildren(
      make("option", { value: "all" }, "All, with those gone"),
      make("option", { value: "now" }, "In use now"),
      ...found.map(({ round }) => make("option", { value: String(round) }, `What round ${round} changed`)),
    );
    this.show.value = before === "" ? "all" : before;
    const lines = found.map(({ round, added, gone, kept }) => `Round ${round}: ${count(added)} new, ${count(gone)} gone, ${count(kept)} kept.`);
    setText(this.said, lines.join(" "));
  }

  private drawList(): void {
    const { run } = this;
    if (run === null || run.fates.length === 0) {
      this.box.replaceChildren(emptyHint("They appear here as soon as a run begins."));
      return;
    }
    const seen = run.fates.filter((fate) => isSeen(fate, this.show.value));
    this.box.replaceChildren(
      ...LEVELS.map(({ level, title, about }) => {
        const items = seen.filter(({ principle }) => principle.level === level).map((fate) => item(fate, run.verdicts.get(fate.principle.id)));
        return make("section", { "data-level": level }, make("h3", {}, title, make("small", {}, about)), make("ul", { class: "principles" }, ...items));
      }),
    );
  }
}

function isSeen({ from, gone }: Fate, show: string): boolean {
  return show === "all" || (show === "now" ? gone === null : String(from) === show || String(gone) === show);
}

const REASONS: Record<Verdict["reason"], string> = {
  kept: "used",
  trusted: "used: the teacher knows more than they show",
  no_gain: "left out: the seeds are no likelier with it",
  redundant: "left out: those before it say as much",
  no_room: "left out: no room",
};

function item({ principle, from, gone }: Fate, verdict: Verdict | undefined): HTMLElement {
  const about = principle.label ?? principle.attribute ?? null;
  const values = (principle.values ?? []).map((value) => make("span", { class: "tag" }, value));
  const line = make(
    "li",
    { "data-polarity": principle.polarity },
    make("span", { class: "polarity" }, principle.polarity === "do" ? "Do" : "Avoid"),
    about === null ? null : make("span", { class: "tag tag-label" }, about),
    from > 1 ? make("span", { class: "tag tag-new" }, `new in round ${from}`) : null,
    gone === null ? null : make("span", { class: "tag tag-gone" }, `gone in round ${gone}`),
    make(gone === null ? "span" : "s", {}, principle.text),
    ...values,
    principle.support > 0 ? make("small", {}, `seen in ${plural(principle.support, "seed")}`) : null,
    verdict === undefined ? null : make("small", {}, votesOf(verdict)),
  );
  line.toggleAttribute("data-gone", gone !== null);
  if (verdict !== undefined) {
    line.dataset["verdict"] = verdict.reason;
  }
  return line;
}

/** What the seeds made of a principle. */
function votesOf({ reason, votes }: Verdict): string {
  return `${plural(votes, "seed")} ${votes === 1 ? "votes" : "vote"} for it; ${REASONS[reason]}`;
}
