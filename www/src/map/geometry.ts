/** Points of the student's own space: laid flat, and looked at for copies and for holes. Long work yields now and then. */
import { breather } from "../breather";

/** Points whose directions from the middle differ less than this cosine are nearly one. */
export const NEARLY_ONE = 0.97;
const TURNS = 40;

/** Rows of `width` numbers, the mean taken away. */
export class Points {
  readonly count: number;

  constructor(
    readonly values: Float32Array,
    readonly width: number,
  ) {
    this.count = width === 0 ? 0 : values.length / width;
    const mean = new Float64Array(width);
    for (let at = 0; at < values.length; at += 1) {
      mean[at % width]! += values[at]! / this.count;
    }
    for (let at = 0; at < values.length; at += 1) {
      values[at]! -= mean[at % width]!;
    }
  }

  row(index: number): Float32Array {
    return this.values.subarray(index * this.width, (index + 1) * this.width);
  }
}

export interface Flat {
  x: Float64Array;
  y: Float64Array;
  /** Share of all variance that the two directions hold, 0 to 1. */
  held: number;
}

/** The two directions in which the points differ most (principal components, by power iteration). */
export async function flatten(points: Points): Promise<Flat> {
  const rest = Float64Array.from(points.values);
  const { width, count } = points;
  const all = rest.reduce((sum, value) => sum + value * value, 0);
  const axes: Float64Array[] = [];
  let held = 0;
  for (const turn of [0, 1]) {
    // Any beginning will do that is not at a right angle to the answer; this one is always the same.
    let direction = Float64Array.from({ length: width }, (_, at) => Math.sin(at + 1 + turn));
    const along = new Float64Array(count);
    const breathe = breather();
    for (let step = 0; step < TURNS; step += 1) {
      const next = new Float64Array(width);
      for (let row = 0; row < count; row += 1) {
        let sum = 0;
        for (let at = 0; at < width; at += 1) {
          sum += rest[row * width + at]! * direction[at]!;
        }
        along[row] = sum;
        for (let at = 0; at < width; at += 1) {
          next[at]! += rest[row * width + at]! * sum;
        }
      }
      const length = Math.hypot(...next);
      if (length === 0) {
        break;
      }
      direction = next.map((value) => value / length);
      await breathe();
    }
    for (let row = 0; row < count; row += 1) {
      let sum = 0;
      for (let at = 0; at < width; at += 1) {
        sum += rest[row * width + at]! * direction[at]!;
      }
      along[row] = sum;
      held += sum * sum;
      for (let at = 0; at < width; at += 1) {
        rest[row * width + at]! -= sum * direction[at]!;
      }
    }
    axes.push(along);
  }
  return { x: axes[0]!, y: axes[1]!, held: all === 0 ? 0 : held / all };
}

export interface Neighbour {
  index: number;
  /** Cosine of the two, seen from the middle of all. */
  cosine: number;
}

/** For each point the nearest of those that `may` be its neighbour; `null` where there is none. */
export async function nearest(points: Points, may: (of: number, other: number) => boolean): Promise<(Neighbour | null)[]> {
  const lengths = Array.from({ length: points.count }, (_, index) => Math.hypot(...points.row(index)));
  const found: (Neighbour | null)[] = [];
  const breathe = breather();
  for (let of = 0; of < points.count; of += 1) {
    let best: Neighbour | null = null;
    const mine = points.row(of);
    for (let index = 0; index < points.count; index += 1) {
      if (index === of || !may(of, index)) {
        continue;
      }
      const other = points.row(index);
      let dot = 0;
      for (let at = 0; at < points.width; at += 1) {
        dot += mine[at]! * other[at]!;
      }
      const cosine = dot / (lengths[of]! * lengths[index]! || 1);
      if (best === null || cosine > best.cosine) {
        best = { index, cosine };
      }
    }
    found.push(best);
    await breathe();
  }
  return found;
}
