/** What the page knows of models: which there are, which is chosen, what is on its way. */
import type { ChosenModel } from "#seedbed/protocol";
import { BUNDLED_MODEL, bundledModel } from "#seedbed/models/bundled";
import type { RunView } from "../run-view";
import type { Asked, Dtype, ModelPlan, Said, Shelf, StoredModel } from "#seedbed/models/types";

export interface ModelsState {
  shelf: Shelf | null;
  /** The id of a kept model, or a bundled one's name. */
  chosen: string;
  dtype: Dtype;
  /** What could be fetched or copied next. */
  plan: ModelPlan | null;
  /** The GGUF files of a repository, of which one must be chosen. */
  choices: { repository: string; files: string[] } | null;
  /** What is being done now, for people. */
  busy: string | null;
  progress: { done: number; total: number } | null;
  error: string | null;
  said: Said | null;
  /** All that has left this tab for a model's sake. */
  asked: Asked[];
}

export function emptyModels(): ModelsState {
  return { shelf: null, chosen: BUNDLED_MODEL, dtype: "f32", plan: null, choices: null, busy: null, progress: null, error: null, said: null, asked: [] };
}

export function storedModel({ shelf, chosen }: ModelsState): StoredModel | null {
  return shelf?.stored.find((model) => model.id === chosen) ?? null;
}

/** What the engine is to load. A bundled model is kept as it comes. */
export function chosenModel({ chosen, dtype }: ModelsState): ChosenModel {
  return { model: chosen, dtype: bundledModel(chosen)?.dtype ?? dtype };
}

/** The model of a run: the one it was begun with or, where a file has brought the run, the one of that name. */
export function modelOf({ model, started }: Pick<RunView, "model" | "started">, { shelf, dtype }: ModelsState): ChosenModel {
  if (model !== null) {
    return model;
  }
  const name = started?.model ?? BUNDLED_MODEL;
  const found = bundledModel(name) ?? shelf?.stored.find((stored) => stored.name === name);
  if (found === undefined) {
    throw new Error(`This run is of the model ${name}, which this page does not have; add it under "Use another model", and try again.`);
  }
  return "id" in found ? { model: found.id, dtype } : { model: found.name, dtype: found.dtype };
}
