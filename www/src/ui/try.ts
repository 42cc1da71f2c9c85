/** The visitor's own words, before and after, side by side. */
import type { BeforeAfter, Prediction } from "#seedbed/protocol";
import type { State } from "../state";
import { kindOf } from "../recipe/rows";
import { percent } from "../words";
import { sentence } from "./answer";
import { byId, emptyHint, make, meter, showError } from "./dom";
import { isBusy } from "./task";

export class TryPlace {
  private readonly text = byId("try-text", HTMLInputElement);
  private readonly go = byId("try-go", HTMLButtonElement);
  private readonly context = byId("try-context", HTMLTextAreaElement);
  private readonly contextLine = byId("try-context-line", HTMLLabelElement);
  private readonly answer = byId("try-answer", HTMLDivElement);
  private readonly error = byId("try-error", HTMLParagraphElement);
  private hint = "";
  private asking = false;

  constructor(private readonly ask: (text: string, context: string) => Promise<BeforeAfter>) {
    byId("try-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      void this.submit();
    });
  }

  draw(state: State): void {
    const able = canAnswer(state);
    this.text.disabled = !able;
    this.context.disabled = !able;
    this.contextLine.hidden = !["qa", "instruct"].includes(kindOf(state));
    this.go.disabled = !able || this.asking;
    // An answer stays until there is another run to ask, or none.
    const hint = hintFor(state, able);
    const key = `${state.run.run}:${hint}`;
    if (key !== this.hint) {
      this.hint = key;
      this.answer.replaceChildren(emptyHint(hint));
      showError(this.error, null);
    }
  }

  private async submit(): Promise<void> {
    const text = this.text.value.trim();
    if (text === "" || this.asking) {
      showError(this.error, text === "" ? "Type a text first." : null);
      return;
    }
    this.asking = true;
    this.go.disabled = true;
    try {
      const { before, after } = await this.ask(text, this.contextLine.hidden ? "" : this.context.value.trim());
      showError(this.error, null);
      const order = Object.keys((after ?? before).probabilities).sort(
        (a, b) => ((after ?? before).probabilities[b] ?? 0) - ((after ?? before).probabilities[a] ?? 0),
      );
      const shown = (prediction: Prediction) => (prediction.answer === undefined && prediction.entities === undefined ? bars(prediction, order) : said(text, prediction));
      const trained = after === null ? emptyHint("Nothing was trained in this run.") : shown(after);
      this.answer.replaceChildren(column("Before", shown(before)), column("After", trained));
    } catch (thrown) {
      showError(this.error, thrown instanceof Error ? thrown.message : String(thrown));
    } finally {
      this.asking = false;
      this.go.disabled = this.text.disabled;
    }
  }
}

/** There is a student to ask: in the engine, or brought back from storage or a file with its task. */
function canAnswer(state: State): boolean {
  const { engine, engineHasRun, opened, run, summary } = state;
  return !isBusy(state) && engine !== null && (engineHasRun || (opened?.adapter != null && (run.id !== null || summary !== null)));
}

function hintFor({ run, opened }: State, able: boolean): string {
  if (able) {
    return run.source === "engine" ? "The student is ready: ask it what you like." : "The student is back with its run: ask it what you like.";
  }
  return run.source === "engine" || opened?.adapter != null
    ? "Run first; then ask the model what you like."
    : "What the run made is back, but nothing was trained in it: press Play to train, then ask.";
}

/** Entities where they stand, or an answer in words; with closed answers, how likely each of them is. */
function said(text: string, { answer, entities, probabilities, label }: Prediction): HTMLElement {
  if (entities !== undefined) {
    return make("p", { class: "said" }, ...sentence(text, entities), entities.length === 0 ? make("small", {}, " no entity") : null);
  }
  const order = Object.keys(probabilities).sort((a, b) => (probabilities[b] ?? 0) - (probabilities[a] ?? 0));
  return make("div", {}, make("p", { class: "said" }, answer ?? ""), order.length === 0 ? null : bars({ label, probabilities }, order));
}

function column(title: string, content: HTMLElement): HTMLElement {
  return make("section", {}, make("h3", {}, title), content);
}

function bars(prediction: Prediction, order: readonly string[]): HTMLElement {
  const items = order.map((label) => {
    const part = prediction.probabilities[label] ?? 0;
    return make(
      "li",
      { "data-chosen": String(label === prediction.label) },
      make("span", { class: "label-name", title: label }, label),
      make("span", { class: "label-count" }, percent(part)),
      meter(part, label),
    );
  });
  return make("ul", { class: "probabilities" }, ...items);
}
