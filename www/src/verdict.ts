/** What the numbers say about PSI against seeds only, and nothing beyond it. */
import type { Metrics, RowName } from "./events";
import { count, percent } from "./words";

export function verdict(rows: Partial<Record<RowName, Metrics>>): string {
  const { psi, seeds_only: seeds } = rows;
  if (psi === undefined || seeds === undefined) {
    return "PSI and seeds only were not both measured, so there is nothing to compare.";
  }
  const numbers = `${percent(psi.accuracy)} against ${percent(seeds.accuracy)} on ${count(psi.n)} test rows`;
  const points = Math.abs(psi.accuracy - seeds.accuracy) * 100;
  if (points < 0.05) {
    return `PSI and seeds only came out alike: ${numbers}.`;
  }
  const apart = psi.low > seeds.high || seeds.low > psi.high;
  const doubt = apart ? "The 95 % intervals do not overlap." : "The 95 % intervals overlap, so this may be chance.";
  const outcome =
    psi.accuracy > seeds.accuracy
      ? `PSI beat seeds only by ${points.toFixed(1)} points`
      : `PSI did not beat seeds only; it was ${points.toFixed(1)} points worse`;
  return `${outcome}: ${numbers}. ${doubt}`;
}
