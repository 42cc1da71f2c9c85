/** The task: a bundled one, or the visitor's own seeds. */
import { BUNDLED } from "../task/bundled";
import type { TaskKind } from "#seedbed/events";
import { KINDS, type OwnTask } from "../task/own";
import type { TaskSummary } from "#seedbed/protocol";
import { OWN_TASK } from "../settings";
import type { State } from "../state";
import { count, plural } from "../words";
import { byId, make, meter, showError } from "./dom";
import { SeedsTable } from "./seeds-table";

export interface TaskEvents {
  chosen(task: string): void;
  edited(): void;
}

export class TaskPlace {
  private readonly choice = byId("task-choice", HTMLFieldSetElement);
  private readonly own = byId("own", HTMLDivElement);
  private readonly instruction = byId("own-instruction", HTMLInputElement);
  private readonly seeds = byId("own-seeds", HTMLTextAreaElement);
  private readonly test = byId("own-test", HTMLTextAreaElement);
  private readonly split = byId("own-split", HTMLParagraphElement);
  private readonly error = byId("task-error", HTMLParagraphElement);
  private readonly summary = byId("task-summary", HTMLDivElement);
  private readonly kinds = new Map<TaskKind, HTMLInputElement>();
  private readonly help = byId("own-forms", HTMLSpanElement);
  private readonly table: SeedsTable;
  private shown: TaskSummary | null = null;

  constructor(private readonly events: TaskEvents) {
    const cards = byId("task-cards", HTMLDivElement);
    for (const task of BUNDLED) {
      cards.append(this.card(task.name, task.title, task.about));
    }
    cards.append(this.card(OWN_TASK, "Your own", "Paste or drop a few labelled examples"));
    const kinds = byId("own-kind", HTMLDivElement);
    for (const [kind, { title }] of Object.entries(KINDS)) {
      const radio = make("input", { type: "radio", name: "own-kind", value: kind });
      radio.addEventListener("change", () => {
        this.setKind(kind as TaskKind);
        this.edited();
      });
      this.kinds.set(kind as TaskKind, radio);
      kinds.append(make("label", {}, radio, ` ${title}`));
    }
    this.table = new SeedsTable(this.seeds, this.test, () => events.edited());
    this.setKind("classification");
    for (const field of [this.instruction, this.seeds, this.test]) {
      field.addEventListener("input", () => this.edited());
    }
    this.takeFiles();
  }

  /** What the visitor typed, as it stands. */
  ownTask(): OwnTask {
    return { kind: this.table.kind, instruction: this.instruction.value, seeds: this.seeds.value, test: this.test.value };
  }

  focusOwn(): void {
    // The text box may be hidden behind the table.
    (this.seeds.checkVisibility() ? this.seeds : byId("own-grid", HTMLDivElement)).focus();
  }

  /** Puts an own task into the fields, as a run's file brings it. */
  fill({ kind, instruction, seeds, test }: OwnTask): void {
    this.setKind(kind);
    this.instruction.value = instruction;
    this.seeds.value = seeds;
    this.test.value = test;
    this.table.changed();
  }

  private setKind(kind: TaskKind): void {
    const { instruction, example, help } = KINDS[kind];
    for (const [name, radio] of this.kinds) {
      radio.checked = name === kind;
    }
    this.instruction.placeholder = instruction;
    this.seeds.placeholder = example;
    this.help.textContent = help;
    this.table.kind = kind;
  }

  draw(state: State): void {
    const { task } = state.settings;
    const own = task === OWN_TASK;
    for (const radio of this.choice.querySelectorAll("input")) {
      radio.checked = radio.value === task;
    }
    this.own.hidden = !own;
    this.split.hidden = this.test.value.trim() !== "";
    showError(this.error, state.taskError);
    this.seeds.setAttribute("aria-invalid", String(own && state.taskError !== null));
    const busy = isBusy(state);
    this.choice.disabled = busy;
    this.table.busy = busy;
    for (const field of [this.instruction, this.seeds, this.test]) {
      field.readOnly = busy;
    }
    for (const radio of this.kinds.values()) {
      radio.disabled = busy;
    }
    if (state.summary !== this.shown) {
      this.shown = state.summary;
      this.summary.replaceChildren(...(state.summary === null ? [] : summaryOf(state.summary, own)));
    }
  }

  private card(name: string, title: string, about: string): HTMLElement {
    const radio = make("input", { type: "radio", name: "task", value: name });
    radio.addEventListener("change", () => this.events.chosen(name));
    return make("label", { class: "task-card" }, radio, make("b", {}, title), make("span", {}, about));
  }

  private takeFiles(): void {
    const input = byId("own-file-input", HTMLInputElement);
    byId("own-file", HTMLButtonElement).addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      void this.readFile(input.files?.[0], this.seeds);
      input.value = "";
    });
    for (const field of [this.seeds, this.test]) {
      field.addEventListener("dragover", (event) => event.preventDefault());
      field.addEventListener("drop", (event) => {
        const file = event.dataTransfer?.files[0];
        if (file !== undefined) {
          event.preventDefault();
          void this.readFile(file, field);
        }
      });
    }
  }

  private async readFile(file: File | undefined, field: HTMLTextAreaElement): Promise<void> {
    if (file !== undefined && !field.readOnly) {
      field.value = await file.text();
      // Nothing else looks like CoNLL, and its files have names.
      if (/\.(conll|bio|iob2?)$/i.test(file.name)) {
        this.setKind("ner");
      }
      this.edited();
    }
  }

  private edited(): void {
    this.events.edited();
    this.table.changed();
  }
}

export function isBusy(state: State): boolean {
  return ["loading", "running", "stopping"].includes(state.run.phase);
}

function summaryOf(summary: TaskSummary, own: boolean): HTMLElement[] {
  const most = Math.max(1, ...Object.values(summary.per_label));
  // "No entity" is a label only where there are texts without any.
  const none = summary.kind === "ner" ? summary.labels.at(-1) : undefined;
  const counted = Object.entries(summary.per_label).filter(([label, seeds]) => label !== none || seeds > 0);
  const labels = counted.map(([label, seeds]) =>
    make(
      "li",
      {},
      make("span", { class: "label-name", title: label }, label),
      meter(seeds / most, `Seeds of ${label}, against the label with most`),
      make("span", { class: "label-count" }, count(seeds)),
    ),
  );
  const heldOut = own && summary.test === 0;
  const parts = [
    plural(summary.seeds, "seed"),
    summary.kind === "ner" ? plural(Math.max(0, summary.labels.length - 1), "type") : summary.kind === "instruct" ? "free responses" : summary.kind === "qa" ? "by the form of the answer" : plural(summary.labels.length, "label"),
    heldOut ? "a quarter of the seeds held out as test" : plural(summary.test, "test row"),
  ];
  const heading = make("p", { class: "summary-head" }, make("b", {}, summary.instruction), make("span", {}, parts.join(" · ")));
  const list = make("ul", { class: "label-counts", "aria-label": "Seeds of each label" }, ...labels);
  // The page says itself what is held out.
  const told = summary.warnings.filter((warning) => !(heldOut && warning.startsWith("there are no test rows, so nothing")));
  const warnings = told.map((warning) => make("p", { class: "warning" }, warning));
  return [heading, list, ...warnings];
}
