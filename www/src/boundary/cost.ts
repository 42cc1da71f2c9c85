/**
 * What a run took, and what it would have taken to send everything: an estimate. The command line computes the same
 * (`src/command/cost.rs`) from the same assumptions.
 */
import type { Report } from "#seedbed/events";
import type { TaskSummary } from "#seedbed/protocol";
import standard from "./assumptions.json";
import { type Ledger, tokensOf } from "./ledger";

export interface Span {
  low: number;
  high: number;
}

export type Assumptions = typeof standard;

export const ASSUMPTIONS: Readonly<Assumptions> = standard;

/** Energy in watt-hours, emissions in grams of CO2 equivalent. */
export interface Energy {
  wattHours: Span;
  grams: Span;
}

export interface Cost {
  /** By stage. */
  local: [string, number, Energy][];
  teacher: { bytes: number; tokens: number; energy: Energy };
  /** All seeds sent to a large model, which writes as many instances as were kept. */
  instead: { bytes: number; tokens: number; seeds: number; energy: Energy };
}

export function costOf(report: Report, summary: TaskSummary, ledger: Ledger, assumptions: Assumptions): Cost {
  const energy = (span: Span, by: number): Energy => {
    const wattHours = { low: span.low * by, high: span.high * by };
    const { low, high } = assumptions.grams_co2e_per_kwh;
    return { wattHours, grams: { low: (wattHours.low * low) / 1000, high: (wattHours.high * high) / 1000 } };
  };
  const remote = (tokens: number) => energy(assumptions.remote_wh_per_1000_tokens, tokens / 1000);
  const wanted = report.instances.accepted;
  const requests = Math.ceil(wanted / Math.max(1, assumptions.instances_per_request));
  const read = requests * (summary.seed_tokens + assumptions.tokens_of_request_frame);
  const written = wanted * Math.ceil(summary.seed_tokens / Math.max(1, summary.seeds));
  const asked = tokensOf(ledger);
  return {
    local: Object.entries(report.seconds).map(([stage, seconds]) => [stage, seconds, energy(assumptions.local_watts, seconds / 3600)]),
    teacher: { bytes: ledger.bytes_sent, tokens: asked, energy: remote(asked) },
    instead: { bytes: requests * summary.seed_bytes, tokens: read + written, seeds: summary.seeds, energy: remote(read + written) },
  };
}
