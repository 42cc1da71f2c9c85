/** What the bench asks of the engine beyond what the page does: `src/web/bench.rs`. */
declare interface SeedbedEngine {
  /** Four numbers a pass: milliseconds, work, tokens, loss or NaN. */
  bench(measure: string, warmup: number, samples: number, budget_ms: number): Promise<Float64Array>;
}
