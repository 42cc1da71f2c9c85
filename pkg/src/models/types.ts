/** What page and worker say to each other about models. */

/** What a model's matrices are kept in: `stored` is what a GGUF file has them in, of other files f32. */
export type Dtype = "f32" | "f16" | "q8" | "q4" | "stored";

/** Those that any model can be kept in; the most exact first. */
export const DTYPES: readonly Dtype[] = ["f32", "f16", "q8", "q4"];

/** What a model's files say of it before any weight is read. */
export interface ModelShape {
  family: string;
  parameters: number;
  layers: number;
  hidden: number;
  vocabulary: number;
  context: number;
  /** Bytes that it takes to run it, and to fine-tune it, in each format that its files can be kept in. */
  memory: { dtype: Dtype; run: number; tune: number }[];
}

export type ModelOrigin = { kind: "file" } | { kind: "hub"; repository: string; revision: string; commit: string };

export interface ModelPart {
  name: string;
  size: number;
  /** `null` until it is known. */
  sha256: string | null;
  /** The hub says so; otherwise it was only recorded here. */
  published: boolean;
}

/** A model that could be kept here. */
export interface ModelPlan {
  /** A name for a folder. */
  id: string;
  name: string;
  origin: ModelOrigin;
  files: ModelPart[];
  /** `null` where the files do not say it before all of them are here. */
  shape: ModelShape | null;
}

/** A model that can be used. */
export interface StoredModel extends ModelPlan {
  /** When it was complete. */
  kept: string;
  /** `memory`: until the page is closed. */
  where: "storage" | "memory";
}

/** A download that was begun. */
export interface UnfinishedModel extends ModelPlan {
  /** Bytes that are here already. */
  here: number;
}

export interface Shelf {
  stored: StoredModel[];
  unfinished: UnfinishedModel[];
  /** The most memory that a model should take in this tab, in bytes. */
  limit: number;
}

/** What the hub answers when it is asked for a repository: a plan, or the GGUF files of which one must be chosen. */
export type LookedUp = { plan: ModelPlan } | { choices: string[] };

/** What a model has said. */
export interface Said {
  text: string;
  tokens: number;
  /** The model ended it itself. */
  ended: boolean;
  seconds: number;
  /** Memory that the engine has taken from the browser by now, in bytes. */
  heap: number;
}

/** A request that has left the tab. */
export interface Asked {
  url: string;
  when: string;
}

export function bytesOf(plan: { files: readonly ModelPart[] }): number {
  return plan.files.reduce((sum, file) => sum + file.size, 0);
}
