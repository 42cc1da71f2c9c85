/** What changed from one set of principles to the next. */
import type { Principle } from "#seedbed/events";
import type { PrincipleSet } from "#seedbed/protocol";

export interface Change {
  kind: "added" | "removed" | "changed";
  text: string;
  was: string | null;
}

/** By id where both have it; ids differ from teacher to teacher, so a rule that says the same of the same is no change. */
export function changes(before: PrincipleSet, after: PrincipleSet): Change[] {
  const said = (set: PrincipleSet) => new Map(set.principles.map((principle) => [lineOf(principle), principle]));
  const [old, now] = [said(before), said(after)];
  const gone = [...old].filter(([line]) => !now.has(line)).map(([, principle]) => principle);
  const found: Change[] = [];
  for (const [line, principle] of now) {
    if (old.has(line)) {
      continue;
    }
    const at = gone.findIndex((other) => other.id === principle.id && other.level === principle.level);
    const was = at === -1 ? null : gone.splice(at, 1)[0];
    found.push({ kind: was == null ? "added" : "changed", text: line, was: was == null ? null : lineOf(was) });
  }
  return [...found, ...gone.map((principle): Change => ({ kind: "removed", text: lineOf(principle), was: null }))];
}

/** All that a principle says, in one line. */
export function lineOf({ polarity, label, text, values }: Principle): string {
  const what = label == null ? "" : `${label}: `;
  const varied = values === undefined || values.length === 0 ? "" : ` (${values.join(", ")})`;
  return `${polarity === "avoid" ? "Avoid: " : ""}${what}${text}${varied}`;
}
