/** Small checks of values that come from outside, composed into the shape of a record. */
export type Is = (value: unknown) => boolean;

export const isText: Is = (value) => typeof value === "string";
export const isNumber: Is = (value) => typeof value === "number" && Number.isFinite(value);
export const isFlag: Is = (value) => typeof value === "boolean";

export function oneOf(...names: readonly string[]): Is {
  return (value) => typeof value === "string" && names.includes(value);
}

/** Also missing, also `null`. */
export function maybe(is: Is): Is {
  return (value) => value === undefined || value === null || is(value);
}

export function listOf(is: Is): Is {
  return (value) => Array.isArray(value) && value.every(is);
}

export function mapOf(is: Is): Is {
  return (value) => isRecord(value) && Object.values(value).every(is);
}

/** Fields that are not named may be there and may be anything. */
export function shape(fields: Record<string, Is>): Is {
  return (value) => isRecord(value) && Object.entries(fields).every(([name, is]) => is(value[name]));
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
