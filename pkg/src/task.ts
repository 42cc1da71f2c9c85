/** A task as a program has it, and as the engine reads it. */
import type { TaskKind } from "./events";
import type { TaskFiles } from "./protocol";

/** A labelled text. */
export interface Example {
  text: string;
  label: string;
}

/** A text with the entities in it; places count characters, `end` is the first after it. */
export type EntityExample =
  | { text: string; entities: readonly { start: number; end: number; label: string }[] }
  /** BIO tags, one a token. */
  | { tokens: readonly string[]; tags: readonly string[] };

/** A question with its answer, or several that are right. */
export interface QuestionExample {
  question: string;
  answer: string | number | readonly string[];
  /** A passage that it is about. */
  context?: string;
  choices?: readonly string[];
}

/** An instruction with its response: as a prompt and a completion, or as a conversation that ends with the response. */
export type Exchange =
  | { prompt: string; completion: string }
  | { instruction: string; input?: string; output: string }
  | { messages: readonly { role: "system" | "user" | "assistant"; content: string }[] };

interface Common<Row> {
  /** For people; `task` unless given. */
  name?: string;
  /** What to do, in one sentence, as one would tell a person. */
  instruction: string;
  /** A handful of each label. They never leave the tab. */
  seeds: readonly Row[];
  /** Rows to measure the student on; without them a part of the seeds is held out. */
  test?: readonly Row[];
}

/** What the student is to learn: to give a text one of a few labels, to find entities, to answer questions, or to follow instructions. */
export type Task =
  | (Common<Example> & { kind?: "classification"; /** Two or more. */ labels: readonly string[] })
  | (Common<EntityExample> & { kind: "ner"; /** The types; those of the seeds unless given. */ labels?: readonly string[] })
  | (Common<QuestionExample> & { kind: "qa"; /** All the answers there are, where that is a closed list. */ labels?: readonly string[] })
  | (Common<Exchange> & { kind: "instruct"; /** There are none: a list is refused. */ labels?: readonly string[] });

/** The three files of a task's folder. */
export function toFiles(task: Task): TaskFiles {
  const kind: TaskKind = task.kind ?? "classification";
  const head = { task: task.name ?? "task", type: kind, instruction: task.instruction, labels: task.labels };
  const files: TaskFiles = { task: JSON.stringify(head), seeds: toLines(task.seeds) };
  return task.test === undefined ? files : { ...files, test: toLines(task.test) };
}

function toLines(rows: readonly object[]): string {
  return rows.map((row) => JSON.stringify(row)).join("\n");
}
