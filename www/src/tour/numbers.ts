/** The few formulas that the tour's pictures are drawn from. */

/** Width of the model that comes with the page, and the rank that its runs use; for the picture of LoRA. */
export const WIDTH = 192;
export const RUN_RANK = 16;

/** Weights of the two thin matrices beside one square one (arXiv 2106.09685). */
export function loraWeights(rank: number): number {
  return 2 * WIDTH * rank;
}

/** DPO's loss for a pair whose better answer has gained `margin` nats on the worse one (arXiv 2305.18290, equation 7). */
export function dpoLoss(beta: number, margin: number): number {
  return Math.log1p(Math.exp(-beta * margin));
}

/** Wilson's 95 % interval for `part` right of `n`. */
export function interval(part: number, n: number): { low: number; high: number } {
  const z = 1.959964;
  const middle = (part + (z * z) / (2 * n)) / (1 + (z * z) / n);
  const half = (z * Math.sqrt((part * (1 - part)) / n + (z * z) / (4 * n * n))) / (1 + (z * z) / n);
  return { low: middle - half, high: middle + half };
}

/**
 * Counts with Laplace noise of scale 1/epsilon, which is what makes a histogram epsilon-differentially private where one
 * seed more or less changes one count by one. The draws are always the same, so that only epsilon moves the picture.
 */
export function noisyCounts(counts: readonly number[], epsilon: number): number[] {
  let state = 7;
  return counts.map((count) => {
    state = (state * 48271) % 2147483647;
    const u = state / 2147483647 - 0.5;
    return Math.max(0, Math.round(count - (Math.sign(u) * Math.log(1 - 2 * Math.abs(u))) / epsilon));
  });
}
