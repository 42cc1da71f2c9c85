/** For long work: gives others their turn now and then, so that the page never stands still for longer than 50 ms. */

/** What is done at once at most. */
const SLICE_MS = 8;

export type Breathe = () => Promise<void>;

export function breather(): Breathe {
  let since = performance.now();
  return async () => {
    if (performance.now() - since > SLICE_MS) {
      await new Promise((resolve) => setTimeout(resolve));
      since = performance.now();
    }
  };
}
