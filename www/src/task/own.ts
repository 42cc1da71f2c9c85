/** The visitor's own data as a task. The engine reads the rows in any of their forms, and counts the lines. */
import type { TaskKind } from "#seedbed/events";
import type { TaskFiles } from "#seedbed/protocol";

export interface OwnTask {
  kind: TaskKind;
  instruction: string;
  seeds: string;
  test: string;
}

export const NO_SEEDS = "There are no seeds yet: paste at least two examples with different labels.";

/** What each kind of task is called, and what is said where it is typed. */
export const KINDS: Readonly<Record<TaskKind, { title: string; instruction: string; example: string; help: string }>> = {
  classification: {
    title: "A label",
    instruction: "Pick the label of a text.",
    example: '{"text": "What a lovely day", "label": "happy"}',
    help: "One per line: JSON with text and label, CSV with that header, or label, tab, text.",
  },
  ner: {
    title: "Entities in a text",
    instruction: "Mark the entities in a text.",
    example: '{"text": "Fly to London", "entities": [{"start": 7, "end": 13, "label": "city"}]}',
    help: "CoNLL (a token a line, its BIO tag last, a blank line between texts), or one per line: JSON with tokens and tags, or with text and entities. The table marks them as [London](city).",
  },
  qa: {
    title: "An answer in words",
    instruction: "Answer the question in a few words.",
    example: '{"question": "Add this song to Summer Hits. Which list?", "answer": "Summer Hits"}',
    help: "One per line: JSON with question and answer (and context, choices), CSV with that header, or answer, tab, question.",
  },
  instruct: {
    title: "A free response",
    instruction: "Follow the instruction.",
    example: '{"prompt": "How do I keep bread fresh?", "completion": "Keep it in a paper bag inside a tin."}',
    help: "One per line: JSON with prompt and completion, instruction and output, messages, or conversations; or CSV with such a header.",
  },
};

export function isKind(value: unknown): value is TaskKind {
  return typeof value === "string" && Object.hasOwn(KINDS, value);
}

export function ownFiles({ kind, instruction, seeds, test }: OwnTask): TaskFiles {
  const task = JSON.stringify({
    task: "my task",
    type: kind,
    instruction: instruction.trim() === "" ? KINDS[kind].instruction : instruction,
  });
  return test.trim() === "" ? { task, seeds } : { task, seeds, test };
}

/** The engine names the files of a task folder; here they are fields of the page. */
export function ownWords(message: string): string {
  return message.replace(/^seeds\.jsonl/, "Seeds").replace(/^test\.jsonl/, "Test rows");
}
