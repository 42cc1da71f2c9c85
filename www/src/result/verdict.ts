/** What the numbers say about a recipe against seeds only and its own baseline, and nothing beyond it. */
import type { Metrics, Recipe, RowName, TaskKind } from "#seedbed/events";
import { headline } from "./headline";
import { BASELINES } from "../recipe/recipes";
import type { RowResult } from "../run-view";
import { count, percent, plural, ROW_TITLES } from "../words";
import { classChanges, sum, worstMistake } from "./per-class";

/** Against seeds only first, then against the recipe's own baseline, as far as they were measured. */
export function verdict(recipe: Recipe, kind: TaskKind, rows: Partial<Record<RowName, Metrics>>): string[] {
  const others: RowName[] = ["seeds_only", BASELINES[recipe]];
  const sentences = others.map((other) => against(recipe, other, kind, rows)).filter((sentence) => sentence !== null);
  return sentences.length > 0 ? sentences : [`${ROW_TITLES[recipe]} and seeds only were not both measured, so there is nothing to compare.`];
}

const OTHERS: Partial<Record<RowName, string>> = {
  seeds_only: "seeds only",
  direct: "writing without principles",
  round_zero: "its own start",
  static: "writing in one go",
};

function against(own: RowName, other: RowName, kind: TaskKind, rows: Partial<Record<RowName, Metrics>>): string | null {
  const [mine, theirs] = [rows[own], rows[other]];
  if (mine === undefined || theirs === undefined) {
    return null;
  }
  const [here, there] = [headline(mine, kind), headline(theirs, kind)];
  const [name, than] = [ROW_TITLES[own], OTHERS[other] ?? other];
  const numbers = `${percent(here.value)} against ${percent(there.value)} on ${count(mine.n)} test rows`;
  const points = Math.abs(here.value - there.value) * 100;
  if (points < 0.05) {
    return `${name} and ${than} came out alike: ${numbers}.`;
  }
  const apart = here.low > there.high || there.low > here.high;
  const doubt = apart ? "The 95 % intervals do not overlap." : "The 95 % intervals overlap, so this may be chance.";
  const outcome =
    here.value > there.value
      ? `${name} beat ${than} by ${points.toFixed(1)} points`
      : `${name} did not beat ${than}; it was ${points.toFixed(1)} points worse`;
  return `${outcome}: ${numbers}. ${doubt}`;
}

/** Which labels moved most from one row to another. Counts, not shares: labels have few test rows each. */
export function changeWords(labels: readonly string[], from: RowName, to: RowName, rows: Partial<Record<RowName, RowResult>>): string {
  const [before, after] = [rows[from]?.confusion, rows[to]?.confusion];
  if (before === undefined || after === undefined) {
    return "";
  }
  const changes = classChanges(labels, before, after);
  const better = changes.filter((change) => change.after > change.before);
  const worse = changes.filter((change) => change.after < change.before);
  const names = `From ${ROW_TITLES[from]} to ${ROW_TITLES[to]}`;
  if (better.length + worse.length === 0) {
    return `${names}, no label has more or fewer right answers.`;
  }
  const tally = `${names}, ${plural(better.length, "label")} got better and ${count(worse.length)} worse.`;
  const [most] = better;
  const least = worse.at(-1);
  const gained = most === undefined ? "" : ` Most gained: ${most.label}, ${move(most)}.`;
  const lost = least === undefined ? "" : ` Most lost: ${least.label}, ${move(least)}.`;
  return `${tally}${gained}${lost}`;
}

function move({ before, after, n }: { before: number; after: number; n: number }): string {
  return `${count(before)} to ${count(after)} right of ${count(n)}`;
}

/** The row's commonest mistake, in one sentence. */
export function weaknessWords(labels: readonly string[], result: RowResult): string {
  const worst = worstMistake(result.confusion);
  if (worst === null) {
    return "No test row was taken for another label.";
  }
  const gold = labels[worst.gold] ?? "";
  const predicted = labels[worst.predicted] ?? "";
  return `Taken wrong most often: ${gold} for ${predicted}, ${count(worst.count)} of ${count(sum(result.confusion[worst.gold]))}.`;
}
