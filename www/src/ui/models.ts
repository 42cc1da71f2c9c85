/** Which model learns: those that are here, and how to bring another. */
import { bytesOf, type Dtype, type ModelOrigin, type ModelPlan, type StoredModel, type UnfinishedModel } from "#seedbed/models/types";
import { can, needed, offered, usualDtype } from "../models/budget";
import { BUNDLED_MODELS, bundledModel } from "#seedbed/models/bundled";
import type { ModelShelf } from "../models/shelf";
import { type ModelsState, storedModel } from "../models/state";
import type { State } from "../state";
import { bytes, count, plural } from "../words";
import { byId, make, setText, showError } from "./dom";
import { takeModelFiles } from "./model-files";
import { isBusy } from "./task";

const DTYPE_WORDS: Record<Dtype, string> = {
  f32: "32 bits (exact)",
  f16: "16 bits",
  q8: "8 bits",
  q4: "4 bits (smallest)",
  stored: "its file's own blocks",
};

export class ModelsPlace {
  private readonly list = byId("models-list", HTMLUListElement);
  private readonly choice = byId("models-choice", HTMLFieldSetElement);
  private readonly dtype = byId("models-dtype", HTMLSelectElement);
  private readonly dtypeLine = byId("models-dtype-line", HTMLLabelElement);
  private readonly memory = byId("models-memory", HTMLParagraphElement);
  private readonly sources = byId("models-sources", HTMLFieldSetElement);
  private readonly name = byId("models-name", HTMLInputElement);
  private readonly choices = byId("models-choices", HTMLDivElement);
  private readonly plan = byId("models-plan", HTMLDivElement);
  private readonly way = byId("models-way", HTMLDivElement);
  private readonly bar = byId("models-bar", HTMLProgressElement);
  private readonly doing = byId("models-doing", HTMLSpanElement);
  private readonly stop = byId("models-stop", HTMLButtonElement);
  private readonly error = byId("models-error", HTMLParagraphElement);
  private readonly sayFields = byId("models-say-fields", HTMLFieldSetElement);
  private readonly said = byId("models-said", HTMLParagraphElement);
  private readonly asked = byId("models-asked", HTMLDetailsElement);
  private readonly askedList = byId("models-asked-list", HTMLOListElement);
  private drawn = "";

  constructor(private readonly shelf: ModelShelf) {
    this.dtype.addEventListener("change", () => shelf.setDtype(this.dtype.value as Dtype));
    this.stop.addEventListener("click", () => void shelf.stop());
    takeModelFiles((files) => void shelf.planFiles(files));
    byId("models-hub", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      void shelf.lookUp(this.name.value, null);
    });
    const text = byId("models-text", HTMLInputElement);
    byId("models-say", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      if (text.value.trim() !== "") {
        void shelf.say(text.value.trim());
      }
    });
  }

  draw(state: State): void {
    const { models } = state;
    const busy = isBusy(state) || models.busy !== null || state.engine === null;
    this.choice.disabled = busy;
    this.dtype.disabled = busy;
    this.sources.disabled = busy;
    this.sayFields.disabled = busy;
    showError(this.error, models.error);
    this.drawWay(models);
    setText(this.memory, memoryWords(models));
    this.drawDtypes(offered(storedModel(models)?.shape ?? null));
    this.dtype.value = models.dtype;
    this.dtypeLine.hidden = bundledModel(models.chosen) !== null;
    const { said } = models;
    setText(this.said, said === null ? "" : said.text);
    this.said.dataset["tokens"] = said === null ? "" : `${plural(said.tokens, "token")} in ${said.seconds.toFixed(1)} s${said.ended ? "" : ", cut off"}; ${bytes(said.heap)} of memory taken`;
    this.said.hidden = said === null;
    const key = JSON.stringify([models.shelf, models.chosen, models.plan, models.choices, models.asked.length, busy]);
    if (key !== this.drawn) {
      this.drawn = key;
      this.drawLists(models, busy);
    }
  }

  private drawDtypes(dtypes: readonly Dtype[]): void {
    if (dtypes.join() !== [...this.dtype.options].map(({ value }) => value).join()) {
      this.dtype.replaceChildren(...dtypes.map((dtype) => make("option", { value: dtype }, DTYPE_WORDS[dtype])));
    }
  }

  private drawWay({ busy, progress }: ModelsState): void {
    this.way.hidden = busy === null;
    const known = progress !== null && progress.total > 0;
    setText(this.doing, `${busy ?? ""}${known ? ` ${bytes(progress.done)} of ${bytes(progress.total)}` : ""}`);
    this.bar.hidden = !known;
    this.stop.hidden = !known;
    this.bar.value = known ? progress.done / progress.total : 0;
  }

  private drawLists(models: ModelsState, busy: boolean): void {
    const { shelf, plan, choices } = models;
    const bundled = BUNDLED_MODELS.map(({ name, about }) => this.row(models, name, name, about, []));
    const stored = (shelf?.stored ?? []).map((model) => this.row(models, model.id, model.name, about(model), [this.remove(model, busy)], hashes(model)));
    const unfinished = (shelf?.unfinished ?? []).map((model) => this.unfinished(model, busy));
    this.list.replaceChildren(...bundled, ...stored, ...unfinished);
    this.choices.hidden = choices === null;
    this.choices.replaceChildren(
      ...(choices === null ? [] : [make("p", {}, `${choices.repository} holds several files; choose one:`), ...choices.files.map((file) => this.button(file, () => this.shelf.lookUp(choices.repository, file)))]),
    );
    this.plan.hidden = plan === null;
    this.plan.replaceChildren(...(plan === null ? [] : this.planned(plan, shelf?.limit ?? 0, busy)));
    this.asked.hidden = models.asked.length === 0;
    this.askedList.replaceChildren(...models.asked.map(({ url, when }) => make("li", {}, `${new Date(when).toLocaleTimeString()} ${url}`)));
  }

  private row(models: ModelsState, id: string, name: string, words: string, buttons: HTMLElement[], more: HTMLElement | null = null): HTMLElement {
    const radio = make("input", { type: "radio", name: "model", value: id });
    radio.checked = models.chosen === id;
    radio.addEventListener("change", () => this.shelf.choose(id));
    return make("li", {}, make("label", {}, radio, make("b", {}, name)), make("span", { class: "help" }, words), ...buttons, more);
  }

  private unfinished(model: UnfinishedModel, busy: boolean): HTMLElement {
    const ownFile = model.origin.kind === "file";
    const go = this.button("Continue", () => this.shelf.keep(model.id), `Continue ${model.name}`);
    go.disabled = busy;
    const words = `begun: ${bytes(model.here)} of ${bytes(bytesOf(model))} are here${ownFile ? "; choose its files again to go on" : ""}`;
    return make("li", {}, make("b", {}, model.name), make("span", { class: "help" }, words), ownFile ? null : go, this.remove(model, busy));
  }

  private remove(model: ModelPlan, busy: boolean): HTMLElement {
    const remove = this.button("Delete", () => this.shelf.forget(model.id), `Delete ${model.name}`);
    remove.disabled = busy;
    return remove;
  }

  /** What it would take, before anything is fetched or copied. */
  private planned(plan: ModelPlan, limit: number, busy: boolean): HTMLElement[] {
    const hub = plan.origin.kind === "hub";
    const rows: [string, string][] = [
      ["Model", plan.name],
      ["From", origin(plan.origin)],
      [hub ? "Download" : "To copy", `${bytes(bytesOf(plan))} in ${plural(plan.files.length, "file")}`],
    ];
    let possible = true;
    const { shape } = plan;
    if (shape !== null) {
      const dtype = usualDtype(shape, limit);
      const memory = needed(shape, dtype);
      rows.push(["Size", `${parameters(shape.parameters)}, ${shape.family}, ${count(shape.layers)} layers`]);
      rows.push(["Memory", `about ${bytes(memory.run)} to run and ${bytes(memory.tune)} to fine-tune, as ${DTYPE_WORDS[dtype]}`]);
      const able = can(shape, dtype, limit);
      possible = able !== "nothing";
      rows.push(["This device", ABLE[able](limit)]);
    }
    const keep = this.button(hub ? "Download and use" : "Copy and use", () => this.shelf.keep(plan.id));
    keep.disabled = busy || !possible;
    const list = make("dl", {}, ...rows.flatMap(([term, words]) => [make("dt", {}, term), make("dd", {}, words)]));
    return [list, make("div", { class: "buttons" }, keep, this.button("Leave it", () => Promise.resolve(this.shelf.leave())))];
  }

  private button(words: string, work: () => Promise<void>, label = words): HTMLButtonElement {
    const button = make("button", { type: "button", class: "small", "aria-label": label }, words);
    button.addEventListener("click", () => void work());
    return button;
  }
}

const ABLE: Record<ReturnType<typeof can>, (limit: number) => string> = {
  tune: () => "can run and fine-tune it.",
  run: (limit) => `can run it, but hardly fine-tune it: a tab here should take ${bytes(limit)} at most. A smaller model learns here.`,
  nothing: (limit) => `cannot run it: a tab here should take ${bytes(limit)} at most. Choose a smaller model, or run it at the desk with the command seedbed.`,
};

function memoryWords(models: ModelsState): string {
  const model = storedModel(models);
  if (model === null || model.shape === null || models.shelf === null) {
    return "";
  }
  const { run, tune } = needed(model.shape, models.dtype);
  const able = can(model.shape, models.dtype, models.shelf.limit);
  return `${model.name} takes about ${bytes(run)} of memory to run and ${bytes(tune)} to fine-tune. This device ${ABLE[able](models.shelf.limit)}`;
}

function about(model: StoredModel): string {
  const where = model.where === "memory" ? "in memory until the page is closed" : `kept ${new Date(model.kept).toLocaleDateString()}`;
  const size = model.shape === null ? "" : `${parameters(model.shape.parameters)}, `;
  return `${size}${bytes(bytesOf(model))}, from ${origin(model.origin)}, ${where}`;
}

/** Each file with its hash, and who says so. */
function hashes(model: StoredModel): HTMLElement {
  const rows = model.files.map((file) => make("li", {}, `${file.name}, ${bytes(file.size)}, SHA-256 `, make("code", {}, file.sha256 ?? "not known"), file.published ? ", as the hub publishes it" : ", recorded here"));
  return make("details", { class: "quiet" }, make("summary", {}, plural(model.files.length, "file")), make("ul", {}, ...rows));
}

function origin(from: ModelOrigin): string {
  return from.kind === "file" ? "your files" : `huggingface.co/${from.repository} at ${from.commit.slice(0, 12)}`;
}

function parameters(value: number): string {
  return value >= 1e9 ? `${(value / 1e9).toFixed(1)} billion parameters` : `${count(Math.round(value / 1e6))} million parameters`;
}
