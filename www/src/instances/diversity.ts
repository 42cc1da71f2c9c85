/** How varied texts are. Grows text by text, so that it can be worked out in the page's idle time. */

/** The engine refuses above 0.7; what lies between is alike, if not a copy. */
export const ALIKE = 0.5;

export interface Diversity {
  texts: number;
  /** Different word pairs as a share of all word pairs (Li et al., arXiv 1510.03055); `null` without any. */
  distinct2: number | null;
  /** Texts whose ROUGE-L F against an earlier one is above `ALIKE`, as a share of all; `null` without any. */
  alike: number | null;
}

interface Known {
  words: number[];
  counts: Map<number, number>;
}

export class DiversityMeter {
  private readonly ids = new Map<string, number>();
  private readonly known: Known[] = [];
  /** For each word, the texts that hold it. */
  private readonly holders: number[][] = [];
  private readonly pairs = new Set<number>();
  private allPairs = 0;
  private alike = 0;

  add(text: string): void {
    const words = wordsOf(text).map((word) => this.id(word));
    for (let at = 1; at < words.length; at += 1) {
      // Word numbers stay far below 2^26, so that the two together are an exact number.
      this.pairs.add((words[at - 1] ?? 0) * 2 ** 26 + (words[at] ?? 0));
      this.allPairs += 1;
    }
    const counts = new Map<number, number>();
    for (const word of words) {
      counts.set(word, (counts.get(word) ?? 0) + 1);
    }
    if (this.hasAlike(words, counts)) {
      this.alike += 1;
    }
    for (const word of counts.keys()) {
      this.holders[word]?.push(this.known.length);
    }
    this.known.push({ words, counts });
  }

  get now(): Diversity {
    const texts = this.known.length;
    return {
      texts,
      distinct2: this.allPairs === 0 ? null : this.pairs.size / this.allPairs,
      alike: texts === 0 ? null : this.alike / texts,
    };
  }

  private hasAlike(words: readonly number[], counts: ReadonlyMap<number, number>): boolean {
    // No common subsequence is longer than the words in common, which is quick to count and leaves few to look at.
    const common = new Map<number, number>();
    for (const [word, times] of counts) {
      for (const text of this.holders[word] ?? []) {
        common.set(text, (common.get(text) ?? 0) + Math.min(times, this.known[text]?.counts.get(word) ?? 0));
      }
    }
    for (const [text, shared] of common) {
      const other = this.known[text]?.words ?? [];
      if (f(shared, words.length, other.length) > ALIKE && f(longestCommon(words, other), words.length, other.length) > ALIKE) {
        return true;
      }
    }
    return false;
  }

  private id(word: string): number {
    let id = this.ids.get(word);
    if (id === undefined) {
      id = this.ids.size;
      this.ids.set(word, id);
      this.holders.push([]);
    }
    return id;
  }
}

/** Runs of letters and digits, with the marks that hold a word together; as the engine's, but for scripts without spaces. */
function wordsOf(text: string): string[] {
  return text.toLowerCase().replaceAll("’", "'").match(/[\p{L}\p{N}]+(?:['.:-][\p{L}\p{N}]+)*/gu) ?? [];
}

/** The F measure of ROUGE-L: `common` words out of `a` and of `b`. */
function f(common: number, a: number, b: number): number {
  return a + b === 0 ? 0 : (2 * common) / (a + b);
}

/** Length of the longest common subsequence. */
function longestCommon(a: readonly number[], b: readonly number[]): number {
  const row = new Array<number>(b.length + 1).fill(0);
  for (const word of a) {
    let diagonal = 0;
    for (let at = 1; at <= b.length; at += 1) {
      const above = row[at] ?? 0;
      row[at] = b[at - 1] === word ? diagonal + 1 : Math.max(above, row[at - 1] ?? 0);
      diagonal = above;
    }
  }
  return row[b.length] ?? 0;
}
