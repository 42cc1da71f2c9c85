/** The loss of each row, step by step, or whichever of its numbers is wanted. */
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { DpoStep, TrainStep } from "#seedbed/events";
import { rowsOf } from "../recipe/rows";
import { type RunView, type Trained, trainedBy } from "../run-view";
import type { State } from "../state";
import { bytes, count, plural, TRAINED_TITLES } from "../words";
import { byId, emptyHint, make, setText } from "./dom";
import { isBusy } from "./task";

/** A second sign besides colour. */
const DASHES: Partial<Record<Trained, number[]>> = { seeds_only: [6, 4], direct: [2, 3], static: [2, 3], all_seeds: [10, 3, 2, 3], own_principles: [10, 3, 2, 3] };

const NUMBERS = ["training", "step", "loss", "learning rate", "gradient norm", "tokens seen", "tokens a second", "reward margin", "memory, at most"] as const;

/** What the chart can show; margins are there for rows that learn preferences. */
const SHOWN = {
  loss: { title: "Loss", of: (step: TrainStep) => step.loss, dpo: (step: DpoStep): number | null => step.loss },
  rate: { title: "Learning rate", of: (step: TrainStep) => step.learning_rate, dpo: (step: DpoStep): number | null => step.learning_rate },
  norm: { title: "Gradient norm", of: (step: TrainStep) => step.grad_norm, dpo: (step: DpoStep): number | null => step.grad_norm },
  margin: { title: "Reward margin", of: (): number | null => null, dpo: (step: DpoStep): number | null => step.rewards_margins },
} as const;
type Shown = keyof typeof SHOWN;

export class TrainingPlace {
  private readonly box = byId("loss-chart", HTMLDivElement);
  private readonly watch = byId("watch-text", HTMLInputElement);
  private readonly samples = byId("samples", HTMLDivElement);
  private samplesDrawn = "";
  private readonly values = new Map<string, HTMLElement>();
  private plot: uPlot | null = null;
  private drawn = "";
  private shown: Shown = "loss";
  private state: State | null = null;
  /** Where the counting of tokens began: a training, its tokens by then, and when that was. */
  private pace: { of: string; tokens: number; at: number } | null = null;

  constructor(watch: (text: string) => void) {
    this.watch.addEventListener("input", () => watch(this.watch.value));
    const choice = byId("chart-shows", HTMLDivElement);
    for (const [name, { title }] of Object.entries(SHOWN)) {
      const radio = make("input", { type: "radio", name: "chart-shows", value: name });
      radio.checked = name === this.shown;
      radio.addEventListener("change", () => {
        this.shown = name as Shown;
        this.drawn = "";
        if (this.state !== null) {
          this.draw(this.state);
        }
      });
      choice.append(make("label", {}, radio, ` ${title}`));
    }
    const numbers = byId("training-numbers", HTMLDListElement);
    for (const name of NUMBERS) {
      const value = make("dd", {}, "–");
      this.values.set(name, value);
      numbers.append(make("div", {}, make("dt", {}, name), value));
    }
    new ResizeObserver(() => this.resize()).observe(this.box);
    // The lines take their colours from the style sheet, which follows the system's light or dark.
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.plot?.destroy();
      this.plot = null;
      this.resize();
    });
  }

  draw(state: State): void {
    this.state = state;
    const { run } = state;
    this.watch.readOnly = isBusy(state);
    const samples = `${run.run}:${run.samples.length}`;
    if (samples !== this.samplesDrawn) {
      this.samplesDrawn = samples;
      this.samples.replaceChildren(...samplesOf(run));
    }
    const rows = trained(state);
    const lengths = rows.map((row) => stepsOf(run, row).length);
    const key = `${run.run}:${rows.join()}:${lengths.join(",")}`;
    if (key === this.drawn) {
      return;
    }
    this.drawn = key;
    this.last = dataOf(run, rows, this.shown);
    if (rows.join() !== this.rows.join()) {
      this.rows = rows;
      this.drawLegend();
      this.plot?.destroy();
      this.plot = null;
    }
    this.plot ??= this.newPlot();
    this.plot.setData(this.last);
    this.drawNumbers(run);
    this.box.setAttribute("aria-label", `${SHOWN[this.shown].title} by training step. ${lossWords(run)}`);
  }

  private rows: readonly Trained[] = [];
  private last: uPlot.AlignedData = [[]];

  private drawLegend(): void {
    byId("loss-legend", HTMLUListElement).replaceChildren(...this.rows.map((row) => make("li", { class: `row-${row}` }, TRAINED_TITLES[row])));
  }

  /** Tokens a second since this training began; nobody knows them of a run that was brought back. */
  private rateOf(run: RunView): number | null {
    const step = run.lastStep;
    if (step?.type !== "train_step" || run.phase !== "running") {
      return null;
    }
    const of = `${run.run} ${trainedBy(step)}`;
    if (this.pace?.of !== of || step.num_tokens < this.pace.tokens) {
      this.pace = { of, tokens: step.num_tokens, at: performance.now() };
      return null;
    }
    const seconds = (performance.now() - this.pace.at) / 1000;
    return seconds > 0.2 ? (step.num_tokens - this.pace.tokens) / seconds : null;
  }

  private drawNumbers(run: RunView): void {
    const { lastStep: step } = run;
    const rate = this.rateOf(run);
    const texts: Record<(typeof NUMBERS)[number], string> = {
      training: step === null ? "–" : TRAINED_TITLES[trainedBy(step)],
      step: step === null ? "–" : `${count(step.step)} / ${count(step.total)}`,
      loss: step === null ? "–" : step.loss.toFixed(3),
      "learning rate": step === null ? "–" : step.learning_rate.toExponential(1),
      "gradient norm": step === null ? "–" : step.grad_norm.toFixed(2),
      "tokens seen": step?.type === "train_step" ? count(step.num_tokens) : "–",
      "tokens a second": rate === null ? "–" : count(rate),
      "reward margin": step?.type === "dpo_step" ? step.rewards_margins.toFixed(3) : "–",
      "memory, at most": run.started?.memory == null ? "–" : bytes(run.started.memory.total),
    };
    for (const [name, element] of this.values) {
      setText(element, texts[name as keyof typeof texts]);
    }
  }

  private newPlot(): uPlot {
    const style = getComputedStyle(this.box);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    const options: uPlot.Options = {
      width: Math.max(200, this.box.clientWidth),
      height: this.box.clientHeight,
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false, range: (_, min, max) => [Math.min(1, min ?? 1), Math.max(10, max ?? 10)] }, y: { range: (_, min, max) => this.range(min, max) } },
      axes: [
        { ...axis, size: 28, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] },
        { ...axis, size: 52 },
      ],
      series: [
        {},
        ...this.rows.map((row) => ({
          label: TRAINED_TITLES[row],
          stroke: colour(`--row-${row}`) || colour("--accent"),
          width: 2,
          points: { show: false },
          ...(DASHES[row] === undefined ? {} : { dash: DASHES[row] }),
        })),
      ],
    };
    return new uPlot(options, this.last, this.box);
  }

  private range(min: number | null, max: number | null): [number, number] {
    const [least, most] = [Math.min(0, min ?? 0), max ?? 0];
    // A loss below one is seen to be low.
    return [least * 1.05, this.shown === "loss" ? Math.max(1, most * 1.05) : most > least ? most * 1.05 : 1];
  }

  private resize(): void {
    if (this.plot === null) {
      this.plot = this.newPlot();
    } else {
      this.plot.setSize({ width: Math.max(200, this.box.clientWidth), height: this.box.clientHeight });
    }
  }
}

/** What each student made of the watched text, from before its first step to after its last. */
function samplesOf(run: RunView): HTMLElement[] {
  const text = run.samples[0]?.text;
  if (text === undefined) {
    return [emptyHint("What the student makes of it stands here, from before its first step to after its last.")];
  }
  const rows = [...new Set(run.samples.map(trainedBy))];
  const lines = rows.map((row) => {
    const answers = run.samples.filter((sample) => trainedBy(sample) === row).map(({ step, label, answer, probability }) => {
      const part = probability === null ? "" : ` ${Math.round(probability * 100)}\u00a0%`;
      return make("span", { title: `after ${plural(step, "step")}` }, `${answer ?? label}${part}`);
    });
    return make("li", { class: `row-${row}` }, make("b", {}, TRAINED_TITLES[row]), ...answers);
  });
  return [make("p", {}, `“${text}”`), make("ol", { class: "samples" }, ...lines)];
}

/** The warm-up and the chosen rows; what a run trained besides them comes last. */
function trained(state: State): readonly Trained[] {
  const { steps, preferences } = state.run;
  const seen = [...Object.keys(steps), ...Object.keys(preferences)] as Trained[];
  const rows = rowsOf(state).filter((row) => row !== "untouched" && row !== "round_zero");
  return [...new Set<Trained>(["warm_up", ...rows, ...seen])];
}

/** Fine-tuning first, then preferences: the order in which a round has them. */
function stepsOf(run: RunView, row: Trained): (TrainStep | DpoStep)[] {
  return [...(run.steps[row] ?? []), ...(run.preferences[row] ?? [])];
}

function dataOf(run: RunView, rows: readonly Trained[], shown: Shown): uPlot.AlignedData {
  const { of, dpo } = SHOWN[shown];
  const lines = rows.map((row) => stepsOf(run, row).map((step) => (step.type === "dpo_step" ? dpo(step) : of(step))));
  const longest = Math.max(0, ...lines.map((line) => line.length));
  const steps = Array.from({ length: longest }, (_, index) => index + 1);
  return [steps, ...lines.map((line) => steps.map((_, index) => line[index] ?? null))];
}

function lossWords(run: RunView): string {
  const parts = (Object.keys(run.steps) as Trained[]).flatMap((row) => {
    const steps = run.steps[row] ?? [];
    const first = steps[0];
    const last = steps.at(-1);
    return first === undefined || last === undefined
      ? []
      : [`${TRAINED_TITLES[row]}: from ${first.loss.toFixed(2)} to ${last.loss.toFixed(2)} in ${steps.length} steps.`];
  });
  return parts.length === 0 ? "Nothing trained yet." : parts.join(" ");
}
