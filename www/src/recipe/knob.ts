/** What the page knows of a knob. The table itself is read off the engine's sources when the page is built (`knobs-plugin.ts`). */
import type { Recipe } from "#seedbed/events";

export interface Knob {
  name: string;
  doc: string;
  kind: "whole" | "number" | "flag" | "word";
  words?: string[];
  /** As it would be typed; empty where the recipe or the model decides. */
  usual: string;
  min?: number;
  max?: number;
  recipes: Recipe[];
}

/** A part of a recipe that can be switched off. */
export interface Switch {
  name: string;
  recipe: Recipe;
  doc: string;
}
