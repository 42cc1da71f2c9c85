/** What somebody who is handed the instances should know of them, as a data set card. It quotes no seed and no principle. */
import type { TaskKind } from "#seedbed/events";
import { kept, tally } from "./instances/edits";
import { type Headline, headline, MEASURES } from "./result/headline";
import type { RunView } from "./run-view";
import { ALL_ROWS } from "./recipe/recipes";
import { count, percent, plural, refusalWords, ROW_TITLES } from "./words";

export function dataCard(run: RunView, instruction: string): string {
  const all = kept(run.instances, run.edits);
  const accepted = all.filter((instance) => instance.accepted);
  const { started, report } = run;
  const kind = started?.kind ?? "classification";
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
  return `${[
    "---",
    "pretty_name: " + JSON.stringify(started?.task ?? "task"),
    "task_categories:",
    `- ${CATEGORIES[kind]}`,
    "tags:",
    "- synthetic",
    "- seedbed",
    "---",
    `# ${plain(started?.task ?? "task")}: instances`,
    "",
    `Synthetic texts for ${KIND_WORDS[kind]}, written by a small language model in a browser tab with Seedbed.`,
    "They are a machine's: some are wrong, some are nonsense, and a label is what the text was asked for, not what a person judged.",
    "",
    `- Instruction: ${plain(instruction)}`,
    `- Labels: ${(started?.labels ?? []).map(code).join(", ")}`,
    `- Written by: ${code(started?.model ?? "unknown")} on ${code(started?.device ?? "unknown")}, recipe ${code(started?.recipe ?? "psi")}, random seed ${started?.seed ?? "unknown"}`,
    `- Principles by: ${report === null ? "unknown (the run did not end)" : `${report.teacher.kind}, ${plural(report.teacher.bytes, "byte")} sent`}`,
    `- Seeds used: ${count(started?.seeds ?? 0)} (not part of this data set)`,
    `- Lines: ${count(all.length)}, of which accepted ${count(accepted.length)}`,
    `- Changed by hand: ${count(changes.edited)} edited, ${count(changes.deleted)} deleted`,
    "",
    "## Fields",
    "",
    ...(kind === "ner" ? ["`entities` (`start`, `end` in characters, `label`), `answer` (the same in words);"] : kind === "qa" ? ["`answer`, and `context` where there is a passage;"] : []),
    "`text`, `label`; `accepted` (whether it was trained on), `reason` and `refusal` where it was not; `row` (what it was written for),",
    "`round`, `index`, `principles` (ids), `model`, `seed` (of the generator of its batch); `edited` (a person changed text or label).",
    "",
    "## Accepted, by label",
    "",
    ...[...perLabel].map(([label, number]) => `- ${code(label)}: ${count(number)}`),
    "",
    "## Refused, by reason",
    "",
    ...(refused.size === 0 ? ["None."] : [...refused].map(([reason, number]) => `- ${plain(reason)}: ${count(number)}`)),
    "",
    "## What models trained in this run reached on its test rows",
    "",
    ...(measured.length === 0 ? ["Nothing was measured."] : [`| row | ${MEASURES[kind].title} | 95 % interval | test rows |`, "|---|---|---|---|", ...measured]),
    "",
    "No licence is given here: that depends on the seeds and the model, and is for whoever made this to say.",
  ].join("\n")}\n`;
}

function measuredLine(title: string, { value, low, high }: Headline, n: number): string {
  return `| ${title} | ${percent(value)} | ${percent(low)} to ${percent(high)} | ${count(n)} |`;
}

const CATEGORIES: Readonly<Record<TaskKind, string>> = { classification: "text-classification", ner: "token-classification", qa: "question-answering" };
const KIND_WORDS: Readonly<Record<TaskKind, string>> = { classification: "a classification task", ner: "finding entities", qa: "answering questions" };

/** One line without markup of its own. */
function plain(text: string): string {
  return text.replace(/\s+/g, " ").replace(/[\\`*_{}[\]<>#|]/g, "\\$&").trim();
}

function code(text: string): string {
  return `\`${text.replace(/[`\s]+/g, " ").trim()}\``;
}
