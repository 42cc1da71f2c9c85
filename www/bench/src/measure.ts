/** Repeating and timing. */
import type { GpuCounter } from "./gpu-counters";
import { words, type Job, type Measured, type Pass } from "./job";

/**
 * Passes of one measure: warm-up, then samples until the budget is spent. Where the first pass alone took longer it is the
 * only one, and counts.
 */
export async function repeat(job: Job, pass: (index: number) => Promise<Pass>): Promise<Pass[]> {
  const begin = performance.now();
  const passes: Pass[] = [];
  for (let index = 0; index < job.warmup + job.samples; index += 1) {
    if (index > 0 && performance.now() - begin > job.budget_ms) {
      break;
    }
    passes.push(await pass(index));
  }
  return passes;
}

/** A pass whose time is that of `run`. */
export async function timed(work: number, tokens: number, run: () => Promise<unknown>): Promise<Pass> {
  const begin = performance.now();
  await run();
  return { ms: performance.now() - begin, work, tokens, loss: null };
}

/** A measure that fails does not take the others with it. */
export async function measured(job: Job, counter: GpuCounter | null, take: () => Promise<Pass[]>): Promise<Measured> {
  counter?.reset();
  try {
    const taken = await take();
    return { warmup: Math.min(job.warmup, Math.max(taken.length - 1, 0)), passes: taken, counters: counter?.perToken(taken) ?? null };
  } catch (thrown) {
    return { warmup: job.warmup, passes: [], counters: null, error: words(thrown) };
  }
}
