/** The rows that the places show. */
import type { Recipe, RowName, TaskKind } from "#seedbed/events";
import type { State } from "../state";
import { ALL_ROWS } from "./recipes";

/** The recipe of the run that is shown; before there is one, that of the next. */
export function recipeOf({ run, settings }: State): Recipe {
  return run.started?.recipe ?? settings.recipe;
}

/** What an answer is, in the run that is shown or the next. */
export function kindOf({ run, summary }: State): TaskKind {
  return (run.started === null ? summary?.kind : run.started.kind) ?? "classification";
}

/** A run's own rows once it has some, the chosen ones before that. */
export function rowsOf(state: State): RowName[] {
  const { run, settings } = state;
  const wanted = recipeOf(state) === settings.recipe ? settings.rows : [];
  return ALL_ROWS.filter((row) => wanted.includes(row) || run.rows[row] !== undefined);
}
