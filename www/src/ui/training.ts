/** The loss of each row, step by step. */
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { type RunView, type Trained, trainedBy } from "../run-view";
import type { State } from "../state";
import { count, TRAINED_TITLES } from "../words";
import { byId, make, setText } from "./dom";

const TRAINED: readonly Trained[] = ["warm_up", "seeds_only", "direct", "psi"];

/** A second sign besides colour. */
const DASHES: Partial<Record<Trained, number[]>> = { seeds_only: [6, 4], direct: [2, 3] };

const NUMBERS = ["training", "step", "loss", "learning rate", "gradient norm", "tokens seen"] as const;

export class TrainingPlace {
  private readonly box = byId("loss-chart", HTMLDivElement);
  private readonly values = new Map<string, HTMLElement>();
  private plot: uPlot | null = null;
  private drawn = "";

  constructor() {
    byId("loss-legend", HTMLUListElement).append(
      ...TRAINED.map((row) => make("li", { class: `row-${row}` }, TRAINED_TITLES[row])),
    );
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

  draw({ run }: State): void {
    const lengths = TRAINED.map((row) => run.steps[row]?.length ?? 0);
    const key = `${run.run}:${lengths.join(",")}`;
    if (key === this.drawn) {
      return;
    }
    this.drawn = key;
    this.last = dataOf(run, Math.max(...lengths));
    this.plot ??= this.newPlot();
    this.plot.setData(this.last);
    this.drawNumbers(run);
    this.box.setAttribute("aria-label", `Loss by training step. ${lossWords(run)}`);
  }

  private last: uPlot.AlignedData = [[], ...TRAINED.map(() => [])];

  private drawNumbers({ lastStep: step }: RunView): void {
    const texts: Record<(typeof NUMBERS)[number], string> = {
      training: step === null ? "–" : TRAINED_TITLES[trainedBy(step)],
      step: step === null ? "–" : `${count(step.step)} / ${count(step.total)}`,
      loss: step === null ? "–" : step.loss.toFixed(3),
      "learning rate": step === null ? "–" : step.learning_rate.toExponential(1),
      "gradient norm": step === null ? "–" : step.grad_norm.toFixed(2),
      "tokens seen": step === null ? "–" : count(step.num_tokens),
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
      scales: { x: { time: false, range: (_, min, max) => [Math.min(1, min ?? 1), Math.max(10, max ?? 10)] }, y: { range: (_, __, max) => [0, Math.max(1, (max ?? 1) * 1.05)] } },
      axes: [
        { ...axis, size: 28, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] },
        { ...axis, size: 42 },
      ],
      series: [
        {},
        ...TRAINED.map((row) => ({
          label: TRAINED_TITLES[row],
          stroke: colour(`--row-${row}`),
          width: 2,
          points: { show: false },
          ...(DASHES[row] === undefined ? {} : { dash: DASHES[row] }),
        })),
      ],
    };
    return new uPlot(options, this.last, this.box);
  }

  private resize(): void {
    if (this.plot === null) {
      this.plot = this.newPlot();
    } else {
      this.plot.setSize({ width: Math.max(200, this.box.clientWidth), height: this.box.clientHeight });
    }
  }
}

function dataOf(run: RunView, longest: number): uPlot.AlignedData {
  const steps = Array.from({ length: longest }, (_, index) => index + 1);
  const losses = TRAINED.map((row) => {
    const taken = run.steps[row] ?? [];
    return steps.map((_, index) => taken[index]?.loss ?? null);
  });
  return [steps, ...losses];
}

function lossWords(run: RunView): string {
  const parts = TRAINED.flatMap((row) => {
    const steps = run.steps[row] ?? [];
    const first = steps[0];
    const last = steps.at(-1);
    return first === undefined || last === undefined
      ? []
      : [`${TRAINED_TITLES[row]}: from ${first.loss.toFixed(2)} to ${last.loss.toFixed(2)} in ${steps.length} steps.`];
  });
  return parts.length === 0 ? "Nothing trained yet." : parts.join(" ");
}
