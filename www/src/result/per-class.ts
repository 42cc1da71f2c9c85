/** What a confusion matrix says of each label, and what changed from one row to another. */

/** Counts as `[gold][predicted]`. */
export type Confusion = readonly (readonly number[])[];

export interface ClassChange {
  label: string;
  /** Test rows that truly have the label. */
  n: number;
  before: number;
  after: number;
}

export function sum(row: readonly number[] | undefined): number {
  return (row ?? []).reduce((total, value) => total + value, 0);
}

/** How many test rows of each label each of two models got right; the largest gain first, the largest loss last. */
export function classChanges(labels: readonly string[], before: Confusion, after: Confusion): ClassChange[] {
  return labels
    .map((label, gold) => ({
      label,
      n: sum(after[gold]),
      before: before[gold]?.[gold] ?? 0,
      after: after[gold]?.[gold] ?? 0,
    }))
    .sort((a, b) => b.after - b.before - (a.after - a.before));
}

export interface Mistake {
  gold: number;
  predicted: number;
  count: number;
}

/** The mistake that was made most often, if any was made; of equals, the first in the table. */
export function worstMistake(confusion: Confusion): Mistake | null {
  let worst: Mistake | null = null;
  for (const [gold, row] of confusion.entries()) {
    for (const [predicted, count] of row.entries()) {
      if (gold !== predicted && count > (worst?.count ?? 0)) {
        worst = { gold, predicted, count };
      }
    }
  }
  return worst;
}
