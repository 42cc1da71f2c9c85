/** What looks wrong with seeds before anything is run. All of it happens in the tab, in small slices. */
import { count, plural } from "../words";
import type { TaskKind } from "#seedbed/events";
import { unmarked } from "./entities";
import type { LabelledRow } from "./rows";

export type Finding = "empty" | "unlabelled" | "duplicate" | "contradiction" | "leak";

export const FINDING_TITLES: Record<Finding, string> = {
  empty: "no text",
  unlabelled: "no answer",
  duplicate: "twice",
  contradiction: "two answers",
  leak: "in the test",
};

export interface Check {
  /** For each row, what is wrong with it. */
  findings: Set<Finding>[];
  /** One line each; `good` ones say what was looked at and is right. */
  lines: { good: boolean; text: string }[];
}

/** The label with most seeds may have this many times those of the label with fewest before it is called lopsided. */
const LOPSIDED = 3;

const SLICE_MS = 8;

/** `null` when `stale` said meanwhile that nobody wants to know any more. */
export async function checkRows(kind: TaskKind, seeds: readonly LabelledRow[], test: readonly LabelledRow[], stale: () => boolean): Promise<Check | null> {
  let end = performance.now() + SLICE_MS;
  const pause = async () => {
    if (performance.now() > end) {
      await new Promise((resolve) => setTimeout(resolve));
      end = performance.now() + SLICE_MS;
    }
    return stale();
  };
  const tested = new Set<string>();
  for (const row of test) {
    tested.add(key(row.text));
    if (await pause()) {
      return null;
    }
  }
  const findings: Set<Finding>[] = [];
  const places = new Map<string, number[]>();
  for (const [index, row] of seeds.entries()) {
    const own = new Set<Finding>();
    findings.push(own);
    const name = key(row.text);
    if (row.text.trim() === "") {
      own.add("empty");
    } else {
      const same = places.get(name);
      if (same === undefined) {
        places.set(name, [index]);
      } else {
        same.push(index);
      }
      if (tested.has(name)) {
        own.add("leak");
      }
    }
    // A text without entities is an answer too.
    if (row.label.trim() === "" && kind !== "ner") {
      own.add("unlabelled");
    }
    if (await pause()) {
      return null;
    }
  }
  for (const same of places.values()) {
    if (same.length > 1) {
      const labels = new Set(same.map((index) => seeds[index]?.label.trim()));
      for (const index of same) {
        findings[index]?.add(labels.size > 1 ? "contradiction" : "duplicate");
      }
    }
  }
  return { findings, lines: linesOf(kind, seeds, test, findings) };
}

function linesOf(kind: TaskKind, seeds: readonly LabelledRow[], test: readonly LabelledRow[], findings: readonly Set<Finding>[]): Check["lines"] {
  const having = (finding: Finding) => findings.filter((own) => own.has(finding)).length;
  const lines = kind === "qa" || kind === "instruct" ? [] : [balance(kind, seeds)];
  const contradictions = having("contradiction");
  const duplicates = having("duplicate");
  lines.push(
    contradictions > 0
      ? { good: false, text: `${plural(contradictions, "seed")} have the same words but different answers.` }
      : duplicates > 0
        ? { good: false, text: `${plural(duplicates, "seed")} have the same words and answer; one of each is used.` }
        : { good: true, text: "No seed is there twice." },
  );
  const leaks = having("leak");
  if (test.length > 0) {
    lines.push(
      leaks > 0
        ? { good: false, text: `${plural(leaks, "seed")} stand in the test rows too, which makes every figure look too good.` }
        : { good: true, text: "No seed stands in the test rows." },
    );
  }
  const empty = findings.filter((own) => own.has("empty") || own.has("unlabelled")).length;
  if (empty > 0) {
    lines.push({ good: false, text: `${plural(empty, "row")} lack text or answer.` });
  }
  return lines;
}

function balance(kind: TaskKind, seeds: readonly LabelledRow[]): { good: boolean; text: string } {
  const counts = new Map<string, number>();
  for (const row of seeds) {
    const labels = kind === "ner" ? unmarked(row.text).entities.map((entity) => entity.label) : [row.label.trim()];
    for (const label of labels.filter((name) => name !== "")) {
      counts.set(label, (counts.get(label) ?? 0) + 1);
    }
  }
  const sorted = [...counts].sort((a, b) => b[1] - a[1]);
  const [most, fewest] = [sorted[0], sorted.at(-1)];
  const [what, one] = kind === "ner" ? ["types", "entity"] : ["labels", "seed"];
  const many = kind === "ner" ? "entities" : "seeds";
  if (most === undefined || fewest === undefined || (kind !== "ner" && sorted.length < 2)) {
    return { good: false, text: kind === "ner" ? "No entity is marked yet." : "There should be at least two labels." };
  }
  return most[1] > LOPSIDED * fewest[1]
    ? { good: false, text: `Lopsided: ${most[0]} has ${plural(most[1], one, many)}, ${fewest[0]} only ${count(fewest[1])}.` }
    : { good: true, text: `Balanced: ${fewest[1] === most[1] ? "" : `${count(fewest[1])} to `}${plural(most[1], one, many)} for each of ${count(sorted.length)} ${what}.` };
}

/** The words of a text without case and punctuation, as far as texts of any length are worth comparing. */
function key(text: string): string {
  return text.slice(0, 2000).toLowerCase().replace(/[^\p{L}\p{N}]+/gu, " ").trim();
}
