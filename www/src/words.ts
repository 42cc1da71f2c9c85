/** What names and numbers are called on the page. */
import type { RowName, Stage } from "#seedbed/events";
import type { StageNow, Trained } from "./run-view";

export const ROW_TITLES: Record<RowName, string> = {
  untouched: "Untouched",
  seeds_only: "Seeds only",
  all_seeds: "All seeds",
  round_zero: "Round zero",
  direct: "Without principles",
  own_principles: "Own principles",
  recorded: "Recorded",
  psi: "PSI",
  lance: "LANCE",
  static: "In one go",
  evokd: "EvoKD",
};

export const ROW_ABOUT: Record<RowName, string> = {
  untouched: "the model as it comes",
  seeds_only: "trained on the seeds alone",
  all_seeds: "trained on all seeds, where the others have a few of each label",
  round_zero: "the model before the first round",
  direct: "trained on seeds and instances written without principles",
  own_principles: "trained on seeds and instances written from principles of the small model's own",
  recorded: "trained on seeds and instances that a large model wrote",
  psi: "trained on seeds and instances written from principles",
  lance: "trained on what it wrote, reviewed and preferred itself",
  static: "trained on seeds and instances written in one go",
  evokd: "trained on seeds and instances written after its errors",
};

export const TRAINED_TITLES: Record<Trained, string> = { ...ROW_TITLES, warm_up: "Warm-up" };

export const STAGE_TITLES: Record<Stage, string> = {
  review: "Review",
  analyse: "Errors",
  prefer: "Preferences",
  principles: "Principles",
  warm_up: "Warm-up",
  generate: "Instances",
  train: "Training",
  evaluate: "Measuring",
};

export function stageWords(now: StageNow): string {
  return `${doing(now.stage, now.row)}${now.total > 0 ? ` (${count(now.done)} of ${count(now.total)})` : ""}`;
}

function doing(stage: Stage, row: RowName | null): string {
  switch (stage) {
    case "principles":
      return "Writing principles from the seeds";
    case "warm_up":
      return "Warming up on the seeds";
    case "generate":
      return row === "direct" ? "Writing instances without principles" : row === "lance" ? "Writing instances" : "Writing instances from the principles";
    case "review":
      return "Reviewing answers";
    case "analyse":
      return "Looking at the student's errors";
    case "prefer":
      return "Learning preferences";
    case "train":
      return row === null ? "Training" : `Training: ${ROW_TITLES[row]}`;
    case "evaluate":
      return row === null ? "Measuring on the test rows" : `Measuring on the test rows: ${ROW_TITLES[row]}`;
  }
}

/** What a count of refusals is called; a kind that the page does not know is called by its own word. */
const REFUSALS: Record<string, string> = {
  parse: "not one whole text",
  length: "too short or too long",
  copy: "copied from a seed",
  similar: "too much like another",
  vote: "label in doubt",
  agreement: "the reader is too sure, or not sure enough",
  answer: "no usable answer",
  score: "mark too low",
};

export function refusalWords(refusal: string): string {
  return REFUSALS[refusal] ?? refusal.replaceAll("_", " ");
}

const INTEGER = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });

export function count(value: number): string {
  return INTEGER.format(value);
}

export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** 0.8234 → "82.3 %", with a space that does not break. */
export function percent(part: number): string {
  return `${(part * 100).toFixed(1)}\u00a0%`;
}

export function bytes(value: number): string {
  if (value < 1000) {
    return plural(value, "byte");
  }
  if (value >= 1_000_000_000) {
    return `${(value / 1_000_000_000).toFixed(1)} GB`;
  }
  return value < 1_000_000 ? `${(value / 1000).toFixed(1)} kB` : `${(value / 1_000_000).toFixed(1)} MB`;
}

export function timeLeft(seconds: number): string {
  if (seconds < 1) {
    return "almost done";
  }
  if (seconds < 90) {
    return `about ${Math.ceil(seconds)} s left`;
  }
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `about ${minutes} min left` : `about ${(minutes / 60).toFixed(1)} h left`;
}
