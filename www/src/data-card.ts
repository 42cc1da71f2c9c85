/**
 * What somebody who is handed the instances should know of them, as a data set card. It quotes no seed and no principle. Its words
 * are those of data-card.json, which the command writes its card from too.
 */
import words from "./data-card.json";
import { kept, tally } from "./instances/edits";
import { type Headline, headline } from "./result/headline";
import type { RunView } from "./run-view";
import { ALL_ROWS } from "./recipe/recipes";
import { count, percent, plural, refusalWords, ROW_TITLES } from "./words";

export function dataCard(run: RunView, instruction: string): string {
  const all = kept(run.instances, run.edits);
  const accepted = all.filter((instance) => instance.accepted);
  const { started, report } = run;
  const kind = started?.kind ?? "classification";
  const { measure, ...own } = words.kinds[kind];
  const changes = tally(run.edits);
  const refused = new Map<string, number>();
  const perLabel = new Map<string, number>();
  for (const instance of all) {
    if (instance.accepted) {
      perLabel.set(instance.label, (perLabel.get(instance.label) ?? 0) + 1);
    } else {
      const reason = refusalWords(instance.refusal ?? "other");
      refused.set(reason, (refused.get(reason) ?? 0) + 1);
    }
  }
  const measured = ALL_ROWS.flatMap((row) => {
    const metrics = run.rows[row]?.metrics;
    return metrics === undefined
      ? []
      : [measuredLine(ROW_TITLES[row], headline(metrics, kind), metrics.n)];
  });
  const name = started?.task ?? "task";
  const listed = (counts: Map<string, number>, show: (name: string) => string, none: string) =>
    counts.size === 0 ? none : [...counts].map(([name, number]) => `- ${show(name)}: ${count(number)}`).join("\n");
  return `${filled(words.card.join("\n"), {
    ...own,
    pretty_name: JSON.stringify(name),
    title: plain(name),
    where: "in a browser tab",
    instruction: plain(instruction),
    labels: (started?.labels ?? []).map(code).join(", "),
    model: code(started?.model ?? "unknown"),
    device: code(started?.device ?? "unknown"),
    recipe: code(started?.recipe ?? "psi"),
    seed: String(started?.seed ?? "unknown"),
    teacher: report === null ? words.unfinished : `${report.teacher.kind}, ${plural(report.teacher.bytes, "byte")} sent`,
    seeds: count(started?.seeds ?? 0),
    lines: count(all.length),
    accepted: count(accepted.length),
    changed: `${count(changes.edited)} edited, ${count(changes.deleted)} deleted`,
    fields: own.fields + filled(words.fields, { edited: "; `edited` (a person changed text or label)" }),
    balance: listed(perLabel, code, words.nothing_kept),
    refused: listed(refused, plain, words.nothing_refused),
    measured: measured.length === 0 ? words.nothing_measured : [`| row | ${measure} | 95 % interval | test rows |`, "|---|---|---|---|", ...measured].join("\n"),
    licence: words.licence,
  })}\n`;
}

/** A text with `{names}` in it, with what they stand for. */
function filled(text: string, values: Record<string, string>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
}

function measuredLine(title: string, { value, low, high }: Headline, n: number): string {
  return `| ${title} | ${percent(value)} | ${percent(low)} to ${percent(high)} | ${count(n)} |`;
}

/** One line without markup of its own. */
function plain(text: string): string {
  return text.replace(/\s+/g, " ").replace(/[\\`*_{}[\]<>#|]/g, "\\$&").trim();
}

function code(text: string): string {
  return `\`${text.replace(/[`\s]+/g, " ").trim()}\``;
}
