/** The log of a run: one event in JSON on each line, and between them what the engine keeps to go on from. */

/** How a line begins that holds something computed. */
const KEPT = '{"type":"kept",';

/** The part of a log that a run goes on from: as far as its last whole kept line. What comes after it is done again. */
export function wholeLog(text: string): string {
  // The last piece has no end of line, and so may be cut short.
  const lines = text.split("\n").slice(0, -1);
  while (lines.length > 0 && !lines[lines.length - 1]?.startsWith(KEPT)) {
    lines.pop();
  }
  return lines.map((line) => `${line}\n`).join("");
}
