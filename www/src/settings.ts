/** The settings of a run, and how they travel in the page's address. The address never carries data. */
import type { RowName } from "#seedbed/events";
import type { DeviceChoice, RunOptions } from "#seedbed/protocol";

export const ROW_NAMES: readonly RowName[] = ["untouched", "seeds_only", "direct", "psi"];

/** The task that is the visitor's own. */
export const OWN_TASK = "own";

export interface Settings {
  task: string;
  device: DeviceChoice;
  instances: number;
  seed: number;
  /** How many test rows are measured. */
  test: number;
  /** Seeds of each label that are used; `null`: all. */
  seeds: number | null;
  /** `null`: the engine's own choice. */
  epochs: number | null;
  rows: RowName[];
}

export const DEFAULTS: Readonly<Settings> = {
  task: "snips_intent",
  device: "auto",
  instances: 70,
  seed: 1,
  test: 140,
  seeds: null,
  epochs: null,
  rows: [...ROW_NAMES],
};

interface Range {
  min: number;
  max: number;
}

export const RANGES: Record<"instances" | "seed" | "test" | "seeds" | "epochs", Range> = {
  instances: { min: 1, max: 5000 },
  seed: { min: 0, max: 4294967295 },
  test: { min: 1, max: 10000 },
  seeds: { min: 1, max: 100000 },
  epochs: { min: 1, max: 100 },
};

export function readSettings(query: string, tasks: readonly string[]): Settings {
  const given = new URLSearchParams(query);
  const settings: Settings = { ...DEFAULTS, rows: [...DEFAULTS.rows] };
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
  const rows = (given.get("rows") ?? "").split(",");
  const known = ROW_NAMES.filter((row) => rows.includes(row));
  if (known.length > 0) {
    settings.rows = known;
  }
  return settings;
}

/** The query for these settings; empty where all are the usual ones. */
export function writeSettings(settings: Settings): string {
  const query = new URLSearchParams();
  for (const name of ["task", "device", "instances", "seed", "test", "seeds", "epochs"] as const) {
    const value = settings[name];
    if (value !== null && value !== DEFAULTS[name]) {
      query.set(name, String(value));
    }
  }
  if (settings.rows.length !== ROW_NAMES.length) {
    query.set("rows", settings.rows.join(","));
  }
  // Commas are plain enough to read in an address.
  const text = query.toString().replaceAll("%2C", ",");
  return text === "" ? "" : `?${text}`;
}

export function toRunOptions(settings: Settings): RunOptions {
  const options: RunOptions = {
    instances: settings.instances,
    seed: settings.seed,
    test_limit: settings.test,
    rows: settings.rows,
  };
  if (settings.seeds !== null) {
    options.seeds_per_label = settings.seeds;
  }
  if (settings.epochs !== null) {
    options.epochs = settings.epochs;
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
