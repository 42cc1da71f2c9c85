import type { Failure } from "../protocol";

/** An error with a code; the engine's own errors carry theirs in `name`. */
export class CodedError extends Error {
  constructor(code: string, message: string) {
    super(message);
    this.name = code;
  }
}

/** Makes one line with a code out of whatever was thrown. */
export function toFailure(thrown: unknown): Failure {
  if (thrown instanceof Error) {
    return { code: thrown.name, message: oneLine(thrown.message) };
  }
  return { code: "unknown", message: oneLine(String(thrown)) };
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}
