/** The same work for every system; the numbers and the rule are those of `src/bench.rs`. */

export const PREFILL_TOKENS = 256;
export const DECODE_TOKENS = 64;
export const INSTANCES = 64;
export const SHARED_TOKENS = 200;
export const OWN_TOKENS = 8;
export const INSTANCE_TOKENS = 48;
export const TRAIN_ROWS = 4;
export const TRAIN_TOKENS = 64;
export const TRAIN_PROMPT = 8;

/** Tokens of a prompt, markers (the first three ids) left out. */
export function tokens(row: number, count: number, vocabulary: number): number[] {
  return Array.from({ length: count }, (_, place) => {
    const hash = Math.imul(row * 4096 + place + 1, 2_654_435_761) >>> 8;
    return (hash % (vocabulary - 3)) + 3;
  });
}

export function decodePrompts(batch: number, vocabulary: number): number[][] {
  return Array.from({ length: batch }, (_, row) => tokens(row, DECODE_TOKENS, vocabulary));
}

export function instancePrompts(vocabulary: number): number[][] {
  const shared = tokens(0, SHARED_TOKENS, vocabulary);
  return Array.from({ length: INSTANCES }, (_, row) => [...shared, ...tokens(row + 1, OWN_TOKENS, vocabulary)]);
}

/** Training rows, one after another: what is read, what should follow each token, and 1 where that brings loss. */
export function trainRows(vocabulary: number): { ids: Int32Array; targets: Int32Array; mask: Float32Array } {
  const count = TRAIN_ROWS * TRAIN_TOKENS;
  const [ids, targets, mask] = [new Int32Array(count), new Int32Array(count), new Float32Array(count)];
  for (let row = 0; row < TRAIN_ROWS; row += 1) {
    const read = tokens(row, TRAIN_TOKENS, vocabulary);
    ids.set(read, row * TRAIN_TOKENS);
    for (let place = TRAIN_PROMPT; place < TRAIN_TOKENS; place += 1) {
      const source = row * TRAIN_TOKENS + place - 1;
      targets[source] = read[place] ?? 0;
      mask[source] = 1;
    }
  }
  return { ids, targets, mask };
}

/** The batch of `decode-8`; null for another measure. */
export function decodeBatch(measure: string): number | null {
  const found = /^decode-(\d+)$/.exec(measure);
  return found === null ? null : Number(found[1]);
}
