/** What the package throws: one class, a code for programs, a line and a remedy for people. */
import { EngineError } from "./engine-client";

/** What went wrong, in a word that stays the same when the message changes. */
export type ErrorCode =
  | "bad_task"
  | "bad_model"
  | "bad_principles"
  | "bad_setting"
  | "busy"
  | "cancelled"
  | "crashed"
  | "device"
  | "disposed"
  | "no_webgpu"
  | "superseded"
  | "teacher"
  | "train"
  | "unknown"
  | "unsupported";

const REMEDIES: Readonly<Record<ErrorCode, string>> = {
  bad_task: "Mend the task: `message` names the seed, label or field that is wrong. `student.check(task)` reads a task without running it.",
  bad_model: "See to it that the model's files are served beside the package's own, unchanged.",
  bad_principles: "Mend the recorded principles: one JSON object a line, as a run's `principle` events have them.",
  bad_setting: "Change the option that `message` names.",
  busy: "Await the run's `result`, or call its `cancel()`, before the next one begins.",
  cancelled: "Nothing: it was stopped from outside.",
  crashed: "Try again: the engine was started anew. Ask for fewer instances if it happens again.",
  device: "Reload the page, or load the student with `{ device: \"cpu\" }`.",
  disposed: "Load a new student; this one was disposed of.",
  no_webgpu: "Load the student with `{ device: \"auto\" }` or `{ device: \"cpu\" }`.",
  superseded: "Export a run's adapter before the student begins another run.",
  teacher: "Use the offline teacher, or recorded principles.",
  train: "Lower the learning rate.",
  unknown: "Report it with the message.",
  unsupported: "Load \"bundled\".",
};

/** Every error of this package. */
export class SeedbedError extends Error {
  override readonly name = "SeedbedError";

  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  /** What to do about it. */
  get remedy(): string {
    return REMEDIES[this.code];
  }
}

/** Makes the package's error of whatever was thrown. */
export function toSeedbedError(thrown: unknown): SeedbedError {
  if (thrown instanceof SeedbedError) {
    return thrown;
  }
  if (!(thrown instanceof EngineError)) {
    return new SeedbedError("unknown", thrown instanceof Error ? thrown.message : String(thrown), { cause: thrown });
  }
  // A trap of the module, or its memory at an end.
  if (thrown.code === "RuntimeError" || thrown.code === "RangeError") {
    return new SeedbedError("crashed", `The engine stopped unexpectedly (${thrown.message}).`, { cause: thrown });
  }
  const known = Object.hasOwn(REMEDIES, thrown.code);
  return new SeedbedError(known ? (thrown.code as ErrorCode) : "unknown", thrown.message, { cause: thrown });
}
