/** The map of a run: where seeds and instances lie in the student's own space. */
import type { Embeddings } from "#seedbed/protocol";
import { flatten, nearest, NEARLY_ONE, Points } from "./geometry";

/** More points than that are a cloud, and would only slow the page down. */
export const MOST = { seeds: 200, instances: 400 };

export interface Place {
  text: string;
  label: string;
  kind: "seed" | "accepted" | "refused";
}

export interface Marked extends Place {
  /** 0 to 1, from the left and from the top. */
  x: number;
  y: number;
  /** It lies nearly where this other point does: for an instance, one that was there before it. */
  copyOf: number | null;
  /** A seed to which no accepted instance of its label is as near as another seed of its label. */
  hole: boolean;
}

export interface RunMap {
  points: Marked[];
  /** Share of all variance that the flat picture holds, 0 to 1. */
  held: number;
  copies: number;
  holes: number;
}

/** Seeds first, then instances in the order they were written. */
export async function mapOf(places: readonly Place[], { values, width }: Embeddings): Promise<RunMap> {
  const points = new Points(values, width);
  const flat = await flatten(points);
  const [left, across] = spread(flat.x);
  const [top, down] = spread(flat.y);
  const is = (kind: Place["kind"], of: number) => places[of]?.kind === kind;
  const alike = (of: number, other: number) => places[of]?.label === places[other]?.label;
  const before = await nearest(points, (of, other) => !is("seed", of) && other < of);
  const fellows = await nearest(points, (of, other) => is("seed", of) && is("seed", other) && alike(of, other));
  const covering = await nearest(points, (of, other) => is("seed", of) && is("accepted", other) && alike(of, other));
  const marked = places.map((place, of): Marked => {
    const copy = before[of];
    const fellow = fellows[of];
    return {
      ...place,
      x: (flat.x[of]! - left) / across,
      y: (flat.y[of]! - top) / down,
      copyOf: copy != null && copy.cosine >= NEARLY_ONE ? copy.index : null,
      hole: fellow != null && (covering[of]?.cosine ?? -1) < fellow.cosine,
    };
  });
  const count = (which: (point: Marked) => boolean) => marked.filter(which).length;
  return { points: marked, held: flat.held, copies: count((point) => point.copyOf !== null), holes: count((point) => point.hole) };
}

/** The least value, and how far the others lie from it at most. */
function spread(values: Float64Array): [number, number] {
  const least = Math.min(...values);
  return [least, Math.max(...values) - least || 1];
}
