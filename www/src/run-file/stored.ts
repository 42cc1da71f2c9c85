/** A run out of this browser's own storage, in the form in which runs come out of files. */
import { readLedger } from "../boundary/ledger";
import type { RunEvent } from "#seedbed/events";
import { breather } from "../breather";
import type { StoredFiles } from "#seedbed/protocol";
import { isKind } from "../task/own";
import { isRecord } from "./shape";
import { knownEvent } from "./events";
import { readEdits, readPrinciples, type SavedRun } from "./run-file";

/** Throws an error whose message is one line for the person. */
export async function savedRunOf(files: StoredFiles): Promise<SavedRun> {
  const events: RunEvent[] = [];
  const breathe = breather();
  for (const line of files.events.split("\n")) {
    await breathe();
    // A tab that was closed in the middle leaves a last line cut short.
    const event = knownEvent(parsed(line));
    if (event !== "broken" && event !== "unknown") {
      events.push(event);
    }
  }
  if (events[0]?.type !== "run_started") {
    throw new Error("This stored run ended before it began, so there is nothing to show; delete it.");
  }
  const task = parsed(files.task);
  return {
    settings: files.settings,
    events,
    edits: readEdits(parsed(files.edits ?? "[]")),
    adapter: files.adapter,
    model: files.model,
    ledger: readLedger(parsed(files.ledger ?? "")),
    principles: readPrinciples(parsed(files.answers ?? "")),
    own: {
      kind: isRecord(task) && isKind(task["type"]) ? task["type"] : "classification",
      instruction: isRecord(task) && typeof task["instruction"] === "string" ? task["instruction"] : "",
      seeds: files.seeds,
      test: files.test ?? "",
    },
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
