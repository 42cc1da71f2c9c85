/** The tour's ten steps: where to look, what to know, one knob to turn. */
import type { RowName } from "#seedbed/events";
import { ALL_ROWS } from "../recipe/recipes";
import type { State } from "../state";
import type { Show } from "../ui/instances";
import { count, percent, plural, ROW_TITLES } from "../words";
import { loraWeights, RUN_RANK, WIDTH } from "./numbers";
import { dpoPicture, intervalPicture, loraPicture, privacyPicture } from "./pictures";

/** What a knob may do to the page. */
export interface TourActions {
  set(name: "seeds" | "instances" | "test", value: number): void;
  row(name: RowName, compared: boolean): void;
  level(level: string): void;
  show(show: Show): void;
  confusion(row: RowName): void;
  epsilon(value: number): void;
}

interface Common {
  label: string;
  /** Turning it changes the next run, so it is locked while one is under way. */
  setsRun?: boolean;
  /** One line under the knob; a value that is set is the state's own. */
  say(value: string, state: State): string;
}

export interface Slider extends Common {
  kind: "slider";
  min: number;
  max(state: State): number;
  step: number;
  value(state: State): number;
  turn?(value: number, actions: TourActions): void;
  picture?(value: number, state: State): SVGElement;
  /** Words that the knob changes, shown as they stand. */
  quote?(state: State): string | null;
}

export interface Choice extends Common {
  kind: "choice";
  options(state: State): { value: string; title: string }[];
  value(state: State): string;
  turn(value: string, actions: TourActions): void;
}

export interface Step {
  title: string;
  text: string;
  /** The part of the page that is looked at. */
  place: string;
  knob: Slider | Choice;
}

const seedsPerLabel = (state: State) => Math.max(1, ...Object.values(state.summary?.per_label ?? { none: 1 }));

export const STEPS: readonly Step[] = [
  {
    title: "It begins with seeds",
    text: "Seeds are real examples that a person has labelled. These few are all that people tell the model of your task. Turn the knob, press Play, and see how little is enough, or is not.",
    place: "task",
    knob: {
      kind: "slider",
      label: "Seeds of each label",
      min: 1,
      max: seedsPerLabel,
      step: 1,
      setsRun: true,
      value: (state) => state.settings.seeds ?? seedsPerLabel(state),
      turn: (value, actions) => actions.set("seeds", value),
      say: (value, state) =>
        state.summary === null ? "Choose a task first." : `${plural(Number(value) * state.summary.labels.length, "seed")} at most, drawn by chance.`,
    },
  },
  {
    title: "A principle is a rule, not an example",
    text: "From the seeds come principles on three levels: what makes an answer right, what belongs to a label, what to vary from one text to the next. They are short, a person can read them, and with a few seeds beside them they are what the writer works from.",
    place: "principles",
    knob: {
      kind: "choice",
      label: "Show the level",
      options: () => [
        { value: "", title: "All" },
        { value: "task", title: "The task" },
        { value: "label", title: "Each label" },
        { value: "instance", title: "Each instance" },
      ],
      value: () => "",
      turn: (value, actions) => actions.level(value),
      say: (_, state) => (state.run.principles.length === 0 ? "Press Play, and they are written within a second." : `${plural(state.run.principles.length, "principle")} in this run.`),
    },
  },
  {
    title: "What privacy hides",
    text: "The offline teacher works in the tab, and nothing is sent. A large model would be told of the seeds in this brief only: figures with noise, so that no single seed can be found out. A small epsilon is much noise. Move it, and see what the brief still tells.",
    place: "teacher",
    knob: {
      kind: "slider",
      label: "Epsilon",
      min: 0.1,
      max: () => 5,
      step: 0.1,
      setsRun: true,
      value: ({ boundary }) => boundary.epsilon,
      turn: (value, actions) => actions.epsilon(value),
      quote: ({ boundary }) => boundary.preview,
      picture: (value, state) => privacyPicture(Object.values(state.summary?.per_label ?? {}), value),
      say: (value) =>
        `Outline: seeds of each label. Bar: what would be told of them. The noise is ${(Math.SQRT2 / Number(value)).toFixed(1)} seeds on average (its standard deviation).`,
    },
  },
  {
    title: "The small model writes the data",
    text: "No large model writes a single training text. The small one does, in this tab, from principles and a few seeds. To see what the principles are good for, let it also write without them.",
    place: "instances",
    knob: {
      kind: "choice",
      label: "Also without principles",
      setsRun: true,
      options: () => [
        { value: "yes", title: "Yes" },
        { value: "no", title: "No" },
      ],
      value: (state) => (state.settings.rows.includes("direct") ? "yes" : "no"),
      turn: (value, actions) => actions.row("direct", value === "yes"),
      say: (value, { settings }) =>
        settings.recipe !== "psi" ? "Only the recipe PSI compares the two." : value === "yes" ? "The next run compares both." : "The next run is shorter, and leaves the question open.",
    },
  },
  {
    title: "How much it writes",
    text: "Each instance knows where it came from: open one with Details and see its principles, its model, its seed. More instances take longer, and repeat themselves more.",
    place: "instances",
    knob: {
      kind: "slider",
      label: "Wanted",
      min: 7,
      max: () => 280,
      step: 7,
      setsRun: true,
      value: (state) => state.settings.instances,
      turn: (value, actions) => actions.set("instances", value),
      say: (value) => `${count(Number(value))} accepted instances are wanted in the next run.`,
    },
  },
  {
    title: "Most are refused",
    text: "A small model writes much that is wrong. What is cut off, copied from a seed, too like another, or read by the model itself as a different label is refused. Read some, and judge the judge.",
    place: "instances",
    knob: {
      kind: "choice",
      label: "Look at",
      options: () => [
        { value: "all", title: "All" },
        { value: "accepted", title: "Taken" },
        { value: "refused", title: "Thrown out" },
      ],
      value: () => "all",
      turn: (value, actions) => actions.show(value as Show),
      say: (_, { run }) => {
        const taken = run.instances.filter((instance) => instance.accepted).length;
        return run.instances.length === 0 ? "Press Play, and they arrive one by one." : `${count(taken)} of ${count(run.instances.length)} were taken: ${percent(taken / run.instances.length)}.`;
      },
    },
  },
  {
    title: "LoRA changes little, and that is the point",
    text: "The model's own weights stay as they are. Beside a large matrix lie two thin ones, and only those are trained. That takes little memory, and the result is a small file that can be taken away again.",
    place: "training",
    knob: {
      kind: "slider",
      label: "Rank",
      min: 1,
      max: () => 64,
      step: 1,
      value: () => RUN_RANK,
      picture: (value) => loraPicture(value),
      say: (value) =>
        `${count(loraWeights(Number(value)))} trained beside ${count(WIDTH * WIDTH)} frozen: ${percent(loraWeights(Number(value)) / (WIDTH * WIDTH))}. The runs on this page use rank ${RUN_RANK}.`,
    },
  },
  {
    title: "Learning from better and worse",
    text: "Examples say what is right. A preference pair says which of two answers is better, and DPO makes that one likelier, measured against the model as it began. Beta says how much weight each step away from there has.",
    place: "training",
    knob: {
      kind: "slider",
      label: "Beta",
      min: 0.1,
      max: () => 2,
      step: 0.1,
      value: () => 0.5,
      picture: (value) => dpoPicture(value),
      say: (_, { settings }) => `The curve is the loss, by DPO's formula. ${settings.recipe === "lance" ? "The next run learns so." : "The recipe LANCE learns so; the other two train on examples alone."}`,
    },
  },
  {
    title: "How much is luck",
    text: "A figure from a few test rows says little: with other rows it would be another. The line over each bar is its 95 % interval. Where two such lines overlap, the difference may be chance.",
    place: "result",
    knob: {
      kind: "slider",
      label: "Test rows",
      min: 7,
      max: (state) => Math.max(8, Math.min(500, state.summary?.test ?? 500)),
      step: 1,
      setsRun: true,
      value: (state) => state.settings.test,
      turn: (value, actions) => actions.set("test", value),
      picture: (value) => intervalPicture(value),
      say: (value) => `Right on 80 % of ${count(Number(value))} rows: the line shows what that can mean.`,
    },
  },
  {
    title: "Where it still fails",
    text: "Each row of this table is a true label, each column an answer; what lies off the diagonal is wrong. Choose a cell and compare. Then, at \"Try it\", ask your own words, and find a mistake that no table shows.",
    place: "confusion",
    knob: {
      kind: "choice",
      label: "Trained how",
      options: (state) =>
        ALL_ROWS.filter((row) => state.run.rows[row] !== undefined).map((row) => ({ value: row, title: ROW_TITLES[row] })),
      value: (state) => ALL_ROWS.filter((row) => state.run.rows[row] !== undefined).at(-1) ?? "",
      turn: (value, actions) => actions.confusion(value as RowName),
      say: (value, state) => {
        const metrics = state.run.rows[value as RowName]?.metrics;
        return metrics === undefined ? "Press Play first; then there is something to fail at." : `Right on ${percent(metrics.accuracy)} of the test rows.`;
      },
    },
  },
];
