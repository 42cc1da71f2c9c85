/** The three recipes as the page offers them. */
import { KNOBS, SWITCHES } from "virtual:knobs";
import type { Recipe, RowName, Stage } from "#seedbed/events";
import type { Knob, Switch } from "./knob";

interface About {
  title: string;
  about: string;
  /** The rows that this page can ask for; a large model's instances come from a file, at the desk. */
  rows: readonly RowName[];
  usual: readonly RowName[];
  rounds: number;
  stages: readonly Stage[];
}

export const RECIPES: Readonly<Record<Recipe, About>> = {
  psi: {
    title: "PSI",
    about: "Principles first, then instances from them.",
    rows: ["untouched", "seeds_only", "direct", "own_principles", "psi"],
    usual: ["untouched", "seeds_only", "direct", "psi"],
    rounds: 1,
    stages: ["principles", "warm_up", "generate", "train", "evaluate"],
  },
  lance: {
    title: "LANCE",
    about: "No teacher: it reviews, writes, cleans and prefers, round after round.",
    rows: ["untouched", "seeds_only", "round_zero", "lance"],
    usual: ["untouched", "seeds_only", "round_zero", "lance"],
    rounds: 2,
    stages: ["warm_up", "review", "generate", "train", "prefer", "evaluate"],
  },
  evokd: {
    title: "EvoKD",
    about: "Each round, the student's errors decide what is written next.",
    rows: ["untouched", "seeds_only", "all_seeds", "static", "evokd"],
    usual: ["untouched", "seeds_only", "all_seeds", "static", "evokd"],
    rounds: 8,
    stages: ["principles", "warm_up", "generate", "analyse", "train", "evaluate"],
  },
};

export const RECIPE_NAMES = Object.keys(RECIPES) as Recipe[];

/** Every row there is, in the order in which they are made. */
export const ALL_ROWS: readonly RowName[] = [
  "untouched",
  "seeds_only",
  "all_seeds",
  "round_zero",
  "direct",
  "own_principles",
  "recorded",
  "psi",
  "lance",
  "static",
  "evokd",
];

/** Whether instances are written for a row. */
export function writes(row: RowName): boolean {
  return ["direct", "own_principles", "psi", "lance", "static", "evokd"].includes(row);
}

/** What the recipe's own row is measured against. */
export const BASELINES: Readonly<Record<Recipe, RowName>> = { psi: "direct", lance: "round_zero", evokd: "static" };

export function knobsOf(recipe: Recipe): Knob[] {
  return KNOBS.filter((knob) => knob.recipes.includes(recipe));
}

export function switchesOf(recipe: Recipe): Switch[] {
  return SWITCHES.filter((each) => each.recipe === recipe);
}

export type KnobValue = string | number | boolean;

/** The knob's value in the text, `null` where the text is none, `undefined` where it is empty and the usual one is meant. */
export function knobValue(knob: Knob, text: string): KnobValue | null | undefined {
  const given = text.trim();
  if (given === "") {
    return undefined;
  }
  if (knob.kind === "flag") {
    return given === "true" ? true : given === "false" ? undefined : null;
  }
  if (knob.kind === "word") {
    return knob.words?.includes(given) === true ? given : null;
  }
  const value = Number(given);
  const whole = knob.kind === "number" || Number.isInteger(value);
  const [least, most] = [knob.min ?? -Infinity, knob.max ?? Infinity];
  return Number.isFinite(value) && whole && value >= least && value <= most ? value : null;
}

/** `least_agreement` → "Least agreement". */
export function knobTitle(name: string): string {
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
