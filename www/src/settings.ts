/** The settings of a run, and how they travel in the page's address. The address never carries data. */
import type { Recipe, RowName } from "#seedbed/events";
import type { DeviceChoice, RunOptions } from "#seedbed/protocol";
import { knobsOf, type KnobValue, knobValue, RECIPE_NAMES, RECIPES, switchesOf } from "./recipe/recipes";

/** The task that is the visitor's own. */
export const OWN_TASK = "own";

export interface Settings {
  task: string;
  device: DeviceChoice;
  recipe: Recipe;
  instances: number;
  seed: number;
  /** How many test rows are measured. */
  test: number;
  /** Seeds of each label that are used; `null`: all. */
  seeds: number | null;
  /** `null`: the engine's own choice. */
  epochs: number | null;
  /** `null`: as many as the recipe usually has. */
  rounds: number | null;
  rows: RowName[];
  /** Parts of the recipe that are switched off. */
  ablations: string[];
  /** Other knobs of the recipe, as far as they are not left as they are. */
  knobs: Record<string, KnobValue>;
}

export const DEFAULTS: Readonly<Settings> = {
  task: "snips_intent",
  device: "auto",
  recipe: "psi",
  instances: 70,
  seed: 1,
  test: 140,
  seeds: null,
  epochs: null,
  rounds: null,
  rows: [...RECIPES.psi.usual],
  ablations: [],
  knobs: {},
};

interface Range {
  min: number;
  max: number;
}

export const RANGES: Record<"instances" | "seed" | "test" | "seeds" | "epochs" | "rounds", Range> = {
  instances: { min: 1, max: 5000 },
  seed: { min: 0, max: 4294967295 },
  test: { min: 1, max: 10000 },
  seeds: { min: 1, max: 100000 },
  epochs: { min: 1, max: 100 },
  rounds: { min: 1, max: 100 },
};

export function readSettings(query: string, tasks: readonly string[]): Settings {
  const given = new URLSearchParams(query);
  const recipe = RECIPE_NAMES.find((name) => name === given.get("recipe")) ?? DEFAULTS.recipe;
  const settings: Settings = { ...DEFAULTS, recipe, rows: [...RECIPES[recipe].usual], ablations: [], knobs: {} };
  const task = given.get("task");
  if (task !== null && (tasks.includes(task) || task === OWN_TASK)) {
    settings.task = task;
  }
  const device = given.get("device");
  if (device === "auto" || device === "webgpu" || device === "cpu") {
    settings.device = device;
  }
  settings.instances = wholeNumber(given.get("instances"), RANGES.instances) ?? settings.instances;
  settings.seed = wholeNumber(given.get("seed"), RANGES.seed) ?? settings.seed;
  settings.test = wholeNumber(given.get("test"), RANGES.test) ?? settings.test;
  settings.seeds = wholeNumber(given.get("seeds"), RANGES.seeds);
  settings.epochs = wholeNumber(given.get("epochs"), RANGES.epochs);
  settings.rounds = wholeNumber(given.get("rounds"), RANGES.rounds);
  const rows = (given.get("rows") ?? "").split(",");
  const known = RECIPES[recipe].rows.filter((row) => rows.includes(row));
  if (known.length > 0) {
    settings.rows = known;
  }
  const off = (given.get("ablate") ?? "").split(",");
  settings.ablations = switchesOf(recipe).map(({ name }) => name).filter((name) => off.includes(name));
  for (const knob of knobsOf(recipe)) {
    const value = knobValue(knob, given.get(knob.name) ?? "");
    if (value !== null && value !== undefined) {
      settings.knobs[knob.name] = value;
    }
  }
  return settings;
}

/** The query for these settings; empty where all are the usual ones. */
export function writeSettings(settings: Settings): string {
  const query = new URLSearchParams();
  for (const name of ["task", "device", "recipe", "instances", "test", "seeds", "epochs", "rounds", "seed"] as const) {
    const value = settings[name];
    if (value !== null && value !== DEFAULTS[name]) {
      query.set(name, String(value));
    }
  }
  if (settings.rows.join() !== RECIPES[settings.recipe].usual.join()) {
    query.set("rows", settings.rows.join(","));
  }
  if (settings.ablations.length > 0) {
    query.set("ablate", settings.ablations.join(","));
  }
  for (const [name, value] of Object.entries(settings.knobs)) {
    query.set(name, String(value));
  }
  // Commas are plain enough to read in an address.
  const text = query.toString().replaceAll("%2C", ",");
  return text === "" ? "" : `?${text}`;
}

export function toRunOptions(settings: Settings): RunOptions {
  const options: RunOptions = {
    recipe: settings.recipe,
    instances: settings.instances,
    seed: settings.seed,
    test_limit: settings.test,
    rows: settings.rows,
    ...settings.knobs,
  };
  if (settings.seeds !== null) {
    options.seeds_per_label = settings.seeds;
  }
  if (settings.epochs !== null) {
    options.epochs = settings.epochs;
  }
  if (settings.rounds !== null) {
    options.rounds = settings.rounds;
  }
  if (settings.ablations.length > 0) {
    options.ablations = settings.ablations;
  }
  return options;
}

/** The number in the text, or `null` when it is none or lies outside the range. */
export function wholeNumber(text: string | null, range: Range): number | null {
  if (text === null || !/^\d+$/.test(text.trim())) {
    return null;
  }
  const value = Number(text);
  return value >= range.min && value <= range.max ? value : null;
}
