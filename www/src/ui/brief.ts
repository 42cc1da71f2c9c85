/** The teacher: who is asked, what would be sent byte for byte, and the visitor's consent. */
import type { Teaching } from "../boundary/teaching";
import type { Brief } from "#seedbed/protocol";
import type { BoundaryState, TeacherKind } from "../boundary/state";
import type { State } from "../state";
import { bytes, count } from "../words";
import { byId, make, setText, showError } from "./dom";
import { isBusy } from "./task";

export class BriefPlace {
  private readonly endpoint = byId("teacher-endpoint", HTMLFormElement);
  private readonly recorded = byId("teacher-recorded", HTMLDivElement);
  private readonly lead = byId("teacher-lead", HTMLParagraphElement);
  private readonly weaknessLine = byId("teacher-weakness-line", HTMLLabelElement);
  private readonly address = byId("teacher-address", HTMLInputElement);
  private readonly model = byId("teacher-model", HTMLInputElement);
  private readonly epsilon = byId("teacher-epsilon", HTMLInputElement);
  private readonly total = byId("teacher-total", HTMLInputElement);
  private readonly drawButton = byId("brief-draw", HTMLButtonElement);
  private readonly panel = byId("brief", HTMLDivElement);
  private readonly to = byId("brief-to", HTMLElement);
  private readonly told = byId("brief-told", HTMLParagraphElement);
  private readonly text = byId("brief-text", HTMLPreElement);
  private readonly body = byId("brief-body", HTMLPreElement);
  private readonly numbers = byId("brief-numbers", HTMLElement);
  private readonly warnings = byId("brief-warnings", HTMLUListElement);
  private readonly confirmLine = byId("brief-confirm-line", HTMLLabelElement);
  private readonly confirm = byId("brief-confirm", HTMLInputElement);
  private readonly read = byId("brief-read", HTMLInputElement);
  private readonly buttons = byId("brief-buttons", HTMLDivElement);
  private readonly send = byId("brief-send", HTMLButtonElement);
  private readonly cancel = byId("brief-cancel", HTMLButtonElement);
  private readonly error = byId("teacher-error", HTMLParagraphElement);
  private readonly said = byId("teacher-said", HTMLParagraphElement);
  private readonly kinds = [...byId("teacher-kind", HTMLDivElement).querySelectorAll("input")];
  private shown: Brief | null = null;

  constructor(teaching: Teaching) {
    for (const input of this.kinds) {
      input.addEventListener("change", () => teaching.choose(input.value as TeacherKind));
    }
    this.address.addEventListener("input", () => teaching.change({ address: this.address.value }));
    this.model.addEventListener("input", () => teaching.change({ model: this.model.value }));
    this.epsilon.addEventListener("input", () => teaching.change({ epsilon: Math.max(0, this.epsilon.valueAsNumber || 0) }));
    this.total.addEventListener("input", () => teaching.change({ total: Math.max(0, this.total.valueAsNumber || 0) }));
    const weakness = byId("teacher-weakness", HTMLInputElement);
    weakness.addEventListener("change", () => teaching.change({ tellWeakness: weakness.checked }));
    this.confirm.addEventListener("change", () => {
      teaching.change({ confirmed: this.confirm.checked });
      void teaching.draw();
    });
    this.read.addEventListener("change", () => teaching.agree(this.read.checked));
    this.endpoint.addEventListener("submit", (event) => {
      event.preventDefault();
      void teaching.draw();
    });
    this.send.addEventListener("click", () => void teaching.send());
    this.cancel.addEventListener("click", () => void teaching.cancel());
  }

  draw(state: State): void {
    const { boundary } = state;
    const endpoint = boundary.teacher === "endpoint";
    for (const input of this.kinds) {
      input.checked = input.value === boundary.teacher;
    }
    this.endpoint.hidden = !endpoint;
    this.recorded.hidden = boundary.teacher !== "recorded";
    // Only that recipe looks at what the student gets wrong.
    this.weaknessLine.hidden = state.settings.recipe !== "evokd";
    setText(this.lead, state.settings.recipe === "lance" ? NO_TEACHER : "Who writes the principles. The offline teacher counts in your seeds, and nothing leaves.");
    fill(this.address, boundary.address);
    fill(this.model, boundary.model);
    fill(this.epsilon, String(boundary.epsilon));
    fill(this.total, String(boundary.total));
    const asking = boundary.phase === "asking";
    const idle = boundary.phase === "idle" && state.engine !== null && !isBusy(state);
    for (const field of [this.address, this.model, this.epsilon, this.total]) {
      field.disabled = !idle;
    }
    this.drawButton.disabled = !idle || state.summary === null;
    this.drawButton.textContent = boundary.brief === null ? "Show what would be sent" : "Draw it anew";
    this.drawBrief(boundary);
    this.buttons.hidden = boundary.brief === null && !asking;
    this.send.disabled = boundary.brief?.body == null || !boundary.read || boundary.phase !== "idle";
    this.send.textContent = asking ? "Asking …" : "Send";
    this.cancel.textContent = asking ? "Cancel" : "Do not send";
    showError(this.error, boundary.error);
    setText(this.said, boundary.waiting ? "A run wants to send this brief and waits for you." : boundary.said);
  }

  private drawBrief(boundary: BoundaryState): void {
    const { brief } = boundary;
    this.panel.hidden = brief === null;
    this.read.checked = boundary.read;
    this.confirm.checked = boundary.confirmed;
    if (brief === null || brief === this.shown) {
      return;
    }
    this.shown = brief;
    setText(this.to, `to ${brief.destination}`);
    setText(this.told, granularity(brief));
    setText(this.text, brief.text);
    setText(this.body, brief.body ?? "");
    const left = Math.max(0, brief.total - brief.spent);
    const numbers: [string, string][] = [
      ["Bytes", bytes(new TextEncoder().encode(brief.body ?? brief.text).length)],
      ["Tokens, about", count(brief.tokens)],
      ["Epsilon of this brief", String(brief.epsilon)],
      ["Spent so far", `${round(brief.spent)} of ${brief.total}`],
      ["Left before it", round(left)],
    ];
    this.numbers.replaceChildren(...numbers.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
    const told = [...(brief.refusal === null ? [] : [brief.refusal]), ...brief.warnings];
    this.warnings.replaceChildren(
      ...told.map(({ message, span }) => make("li", { class: "warning" }, message, span === "" ? null : make("code", {}, span))),
    );
    this.confirmLine.hidden = !(brief.refusal?.confirmable === true || boundary.confirmed);
    this.read.disabled = brief.body === null;
  }
}

const NO_TEACHER = "LANCE has no teacher: the small model is its own. What stands here is for the other recipes.";

/** How finely the seeds are told of. */
function granularity(brief: Brief): string {
  if (brief.told.length === 0) {
    return brief.epsilon === 0 ? "It tells nothing of your seeds." : "With so few seeds, or so small an epsilon, it tells of your seeds no more than stands below.";
  }
  const families = brief.told.map(([name, bins]) => (bins > 1 ? `${name} (${bins} kinds)` : name));
  return `Of your seeds it tells, with noise: about how many there are; ${families.join(", ")}. No word of a seed stands in it.`;
}

function round(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}

/** Leaves a field alone while it is typed in. */
function fill(field: HTMLInputElement, value: string): void {
  if (document.activeElement !== field && field.value !== value) {
    field.value = value;
  }
}
