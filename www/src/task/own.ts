/** The visitor's own data as a task. The engine reads the rows in any of their forms, and counts the lines. */
import type { TaskFiles } from "#seedbed/protocol";

export interface OwnTask {
  instruction: string;
  seeds: string;
  test: string;
}

export const NO_SEEDS = "There are no seeds yet: paste at least two examples with different labels.";

export function ownFiles({ instruction, seeds, test }: OwnTask): TaskFiles {
  const task = JSON.stringify({
    task: "my task",
    type: "classification",
    instruction: instruction.trim() === "" ? "Pick the label of a text." : instruction,
  });
  return test.trim() === "" ? { task, seeds } : { task, seeds, test };
}

/** The engine names the files of a task folder; here they are fields of the page. */
export function ownWords(message: string): string {
  return message.replace(/^seeds\.jsonl/, "Seeds").replace(/^test\.jsonl/, "Test rows");
}
