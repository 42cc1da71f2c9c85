/** What became of each principle over the rounds of a run: which came, which went, which stayed. */
import type { Principle } from "#seedbed/events";
import { lineOf } from "../boundary/diff";

export interface Fate {
  principle: Principle;
  /** The round it came in; 1 for those of the beginning. */
  from: number;
  /** The last round that said it. */
  said: number;
  /** The round whose principles took its place; `null` while it is in use. */
  gone: number | null;
}

export interface RoundOfPrinciples {
  round: number;
  added: number;
  gone: number;
  kept: number;
}

/** A principle was written in a round. As in the engine, what a later round says on a level, or of a label, takes the place of what was said of it before. */
export function follow(fates: Fate[], principle: Principle, round: number): void {
  if (round > 1) {
    for (const fate of fates) {
      if (fate.gone === null && fate.said < round && fate.principle.level === principle.level && (fate.principle.label ?? null) === (principle.label ?? null)) {
        fate.gone = round;
      }
    }
    const line = lineOf(principle);
    const again = fates.find((fate) => fate.gone === round && lineOf(fate.principle) === line);
    if (again !== undefined) {
      again.gone = null;
      again.said = round;
      return;
    }
  }
  fates.push({ principle, from: round, said: round, gone: null });
}

/** The rounds after the first that had something to say. */
export function rounds(fates: readonly Fate[]): RoundOfPrinciples[] {
  const spoke = [...new Set(fates.flatMap(({ from, said, gone }) => [from, said, gone ?? 1]))].filter((round) => round > 1).sort((a, b) => a - b);
  const count = (which: (fate: Fate) => boolean) => fates.filter(which).length;
  return spoke.map((round) => ({
    round,
    added: count(({ from }) => from === round),
    gone: count(({ gone }) => gone === round),
    kept: count(({ from, gone }) => from < round && (gone === null || gone > round)),
  }));
}
