/** A task as a program has it, and as the engine reads it. */
import type { TaskFiles } from "./protocol";

/** A labelled text. */
export interface Example {
  text: string;
  label: string;
}

/** What the student is to learn: to give a text one of a few labels. */
export interface Task {
  /** For people; `task` unless given. */
  name?: string;
  /** What to do, in one sentence, as one would tell a person. */
  instruction: string;
  /** Two or more. */
  labels: readonly string[];
  /** A handful of each label. They never leave the tab. */
  seeds: readonly Example[];
  /** Rows to measure the student on; without them a part of the seeds is held out. */
  test?: readonly Example[];
}

/** The three files of a task's folder. */
export function toFiles(task: Task): TaskFiles {
  const head = { task: task.name ?? "task", type: "classification", instruction: task.instruction, labels: task.labels };
  const files: TaskFiles = { task: JSON.stringify(head), seeds: toLines(task.seeds) };
  return task.test === undefined ? files : { ...files, test: toLines(task.test) };
}

function toLines(examples: readonly Example[]): string {
  return examples.map(({ text, label }) => JSON.stringify({ text, label })).join("\n");
}
