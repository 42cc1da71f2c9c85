/** Whether this device can, and in which format. */
import { DTYPES, type Dtype, type ModelShape } from "#seedbed/models/types";

/** The formats that a model can be kept in here. */
export function offered(shape: ModelShape | null): readonly Dtype[] {
  return shape === null ? DTYPES : shape.memory.map(({ dtype }) => dtype);
}

export type Can = "tune" | "run" | "nothing";

export function needed(shape: ModelShape, dtype: Dtype): { run: number; tune: number } {
  return shape.memory.find((memory) => memory.dtype === dtype) ?? { run: 0, tune: 0 };
}

export function can(shape: ModelShape, dtype: Dtype, limit: number): Can {
  const { run, tune } = needed(shape, dtype);
  if (tune <= limit) {
    return "tune";
  }
  return run <= limit ? "run" : "nothing";
}

/** The most exact format with which the model can be fine-tuned in half of the memory there is, else in all of it, else run. */
export function usualDtype(shape: ModelShape, limit: number): Dtype {
  const first = (fits: (dtype: Dtype) => boolean) => DTYPES.find(fits);
  return (
    first((dtype) => needed(shape, dtype).tune <= limit / 2) ??
    first((dtype) => can(shape, dtype, limit) === "tune") ??
    first((dtype) => can(shape, dtype, limit) === "run") ??
    "q4"
  );
}
