/** What the rounds of a recipe did: their figures, each label from round to round, and what stands behind one of them. */
import type { Preferred, Reviewed } from "#seedbed/events";
import { recipeOf } from "../recipe/rows";
import { type Errors, type WeaknessCard, weaknessCard } from "../result/weakness";
import type { Round, RunView } from "../run-view";
import type { State } from "../state";
import { count, percent, plural } from "../words";
import { byId, emptyHint, make, meter, setText } from "./dom";

const LEADS = {
  lance: "Each round reviews its own answers, writes worse ones beside the good and new questions beside the bad, cleans them, and learns from what is left. The round is chosen on seeds held out, never on the test rows.",
  evokd: "Each round begins with what the student gets wrong, in counts and never in examples, and writes hard and easy instances for it.",
} as const;

/** More than anybody reads would only slow the page down. */
const MOST_LINES = 60;

export class RoundsPlace {
  private readonly card = byId("rounds", HTMLElement);
  private readonly lead = byId("rounds-lead", HTMLParagraphElement);
  private readonly select = byId("rounds-round", HTMLSelectElement);
  private readonly table = byId("rounds-table", HTMLDivElement);
  private readonly labels = byId("rounds-labels", HTMLDivElement);
  private readonly detailTitle = byId("rounds-detail-title", HTMLHeadingElement);
  private readonly detail = byId("rounds-detail", HTMLDivElement);
  private run: RunView | null = null;
  private drawn = "";
  /** The round that the visitor chose to look at; until then the newest. */
  private chosen: number | null = null;

  constructor() {
    this.select.addEventListener("change", () => {
      this.chosen = Number(this.select.value);
      this.drawDetail();
    });
  }

  draw(state: State): void {
    const { run } = state;
    const recipe = recipeOf(state);
    this.card.hidden = recipe === "psi";
    if (recipe === "psi") {
      return;
    }
    const key = `${recipe}:${run.run}:${run.rounds.map(({ report, weakness, reviews, preferences }) => `${report?.chosen},${weakness === null},${reviews.length},${preferences.length}`).join(";")}`;
    if (key === this.drawn) {
      return;
    }
    if (run.run !== this.run?.run) {
      this.chosen = null;
    }
    this.drawn = key;
    this.run = run;
    setText(this.lead, LEADS[recipe]);
    this.select.replaceChildren(...run.rounds.map(({ round }) => make("option", { value: String(round) }, roundTitle(round))));
    this.select.disabled = run.rounds.length === 0;
    this.table.replaceChildren(run.rounds.length === 0 ? emptyHint("Each round stands here as it ends.") : roundsTable(run.rounds, recipe));
    const measured = run.rounds.filter(({ report }) => (report?.f1_by_label?.length ?? 0) > 0);
    this.labels.replaceChildren(measured.length === 0 ? emptyHint("How well each label is known, from round to round.") : labelsTable(run.started?.labels ?? [], measured));
    this.drawDetail();
  }

  private drawDetail(): void {
    const rounds = this.run?.rounds ?? [];
    const round = rounds.find((each) => each.round === this.chosen) ?? rounds.at(-1);
    this.select.value = round === undefined ? "" : String(round.round);
    setText(this.detailTitle, round === undefined ? "This round" : detailTitle(round));
    const labels = this.run?.started?.labels ?? [];
    this.detail.replaceChildren(...(round === undefined ? [emptyHint("What the student gets wrong, or what was reviewed.")] : detailOf(round, labels)));
  }
}

function roundTitle(round: number): string {
  return round === 0 ? "the start" : String(round);
}

function detailTitle({ round, weakness }: Round): string {
  const which = round === 0 ? "At the start" : `Round ${round}`;
  return weakness === null ? `${which}: what was reviewed` : `${which}: the weakness card`;
}

function roundsTable(rounds: readonly Round[], recipe: keyof typeof LEADS): HTMLElement {
  const head = ["Round", "Written", "Kept", "Learnt from", "Pairs", "Tokens", recipe === "lance" ? "On held-out seeds" : "On its fresh batch", ""].map((title) => make("th", { scope: "col" }, title));
  const body = rounds.map(({ round, report }) => {
    const dev = report?.dev ?? null;
    const cells = report === null
      ? ["…", "", "", "", "", "", ""]
      : [
          count(report.generated),
          count(report.accepted),
          plural(report.rows ?? 0, "row"),
          count(report.pairs ?? 0),
          count((report.tokens?.read ?? 0) + (report.tokens?.written ?? 0)),
          dev === null ? "–" : `${percent(dev.accuracy)} of ${count(dev.n)}`,
          report.chosen ? "chosen" : "",
        ];
    return make("tr", {}, make("th", { scope: "row" }, roundTitle(round)), ...cells.map((cell) => make("td", {}, cell)));
  });
  return make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...body));
}

function labelsTable(labels: readonly string[], rounds: readonly Round[]): HTMLElement {
  const head = rounds.map(({ round }) => make("th", { scope: "col" }, roundTitle(round)));
  const body = labels.map((label, at) => {
    const cells = rounds.map(({ report }) => {
      const f1 = report?.f1_by_label[at] ?? 0;
      return make("td", { "data-kind": f1 === 0 ? "none" : "right", "data-share": String(Math.ceil(f1 * 5)) }, f1.toFixed(2).replace(/^0/, ""));
    });
    return make("tr", {}, make("th", { scope: "row", title: label }, make("span", { class: "label-name" }, label)), ...cells);
  });
  return make("table", { class: "confusion" }, make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "F1"), ...head)), make("tbody", {}, ...body));
}

function detailOf({ weakness, quotas, reviews, preferences }: Round, labels: readonly string[]): HTMLElement[] {
  const card = weakness === null ? null : weaknessCard(weakness);
  const parts = card === null ? [] : weaknessParts(card, labels, quotas);
  if (preferences.length > 0) {
    parts.push(make("h4", {}, plural(preferences.length, "preference")), list(preferences, preference));
  }
  if (reviews.length > 0) {
    parts.push(make("h4", {}, plural(reviews.length, "review")), list(reviews, review));
  }
  return parts.length === 0 ? [emptyHint("Nothing was reviewed or found wrong in this round.")] : parts;
}

function weaknessParts(card: WeaknessCard, labels: readonly string[], quotas: Round["quotas"]): HTMLElement[] {
  const confused = card.confused.slice(0, 6).map(({ label, predicted, count: times }) =>
    make("li", {}, make("span", { class: "tag tag-label" }, labels[label] ?? ""), " taken for ", make("span", { class: "tag" }, labels[predicted] ?? ""), ` ${plural(times, "time")}`),
  );
  const rows = labels.map((label, at) => {
    const errors = card.labels[at];
    const wanted = quotas === null ? [] : [make("td", {}, count(quotas.hard[at] ?? 0)), make("td", {}, count(quotas.easy[at] ?? 0))];
    return make("tr", {}, make("th", { scope: "row", title: label }, make("span", { class: "label-name" }, label)), make("td", {}, errorMeter(label, errors)), make("td", {}, errors === undefined ? "–" : `${count(errors.wrong)} of ${count(errors.judged)}`), ...wanted);
  });
  const head = ["Label", "Wrong", "", ...(quotas === null ? [] : ["Hard", "Easy"])].map((title) => make("th", { scope: "col" }, title));
  const kinds = card.kinds
    .filter(({ errors }) => errors.wrong > 0)
    .sort((a, b) => b.errors.wrong / b.errors.judged - a.errors.wrong / a.errors.judged)
    .slice(0, 5)
    .map(({ label, descriptor, errors }) => make("li", {}, make("span", { class: "tag tag-label" }, labels[label] ?? ""), ` ${kindWords(descriptor)}: ${count(errors.wrong)} of ${count(errors.judged)} wrong`));
  return [
    make("p", {}, `${count(card.all.wrong)} of ${plural(card.all.judged, "row")} wrong. ${quotas === null ? "" : "Hard and easy: how many are to be written for each label."}`),
    confused.length === 0 ? emptyHint("No label is taken for another.") : make("ul", { class: "weakness" }, ...confused),
    make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows)),
    ...(kinds.length === 0 ? [] : [make("h4", {}, "Kinds of texts that fail most"), make("ul", { class: "weakness" }, ...kinds)]),
  ];
}

function errorMeter(label: string, errors: Errors | undefined): HTMLElement {
  return meter(errors === undefined || errors.judged === 0 ? 0 : errors.wrong / errors.judged, `Share of ${label} that is wrong`);
}

/** `up_to3_words` → "up to 3 words". */
function kindWords(descriptor: string): string {
  return descriptor.replaceAll("_", " ").replace(/to(\d)/, "to $1");
}

function list<T>(items: readonly T[], line: (item: T) => HTMLElement): HTMLElement {
  const shown = items.slice(-MOST_LINES).reverse().map(line);
  return make("ul", { class: "weakness" }, ...shown, items.length > MOST_LINES ? make("li", { class: "help" }, `and ${count(items.length - MOST_LINES)} before these`) : null);
}

const ORIGINS: Record<Reviewed["origin"], string> = { seed: "seed", contrast: "written to be worse", new: "new" };

function review({ text, answer, score, origin }: Reviewed): HTMLElement {
  return make("li", {}, make("b", { class: "mark-of" }, score.toFixed(1)), make("span", { class: "tag tag-label" }, answer), ` ${text} `, make("small", {}, ORIGINS[origin]));
}

function preference({ text, chosen, rejected, scores }: Preferred): HTMLElement {
  return make("li", {}, make("span", { class: "tag tag-label" }, chosen), ` ${scores[0].toFixed(1)} rather than `, make("span", { class: "tag" }, rejected), ` ${scores[1].toFixed(1)}: ${text}`);
}
