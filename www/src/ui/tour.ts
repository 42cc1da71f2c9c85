/** The guided tour: a small panel beside the page, which stays in use all the while. */
import type { State } from "../state";
import { type Choice, type Slider, type Step, STEPS, type TourActions } from "../tour/steps";
import { byId, make, setText } from "./dom";
import { isBusy } from "./task";

export class Tour {
  private readonly panel = byId("tour", HTMLElement);
  private readonly start = byId("tour-start", HTMLButtonElement);
  private readonly title = byId("tour-title", HTMLHeadingElement);
  private readonly where = byId("tour-where", HTMLParagraphElement);
  private readonly text = byId("tour-text", HTMLParagraphElement);
  private readonly knob = byId("tour-knob", HTMLDivElement);
  private readonly picture = byId("tour-picture", HTMLDivElement);
  private readonly said = byId("tour-said", HTMLParagraphElement);
  private readonly back = byId("tour-back", HTMLButtonElement);
  private readonly next = byId("tour-next", HTMLButtonElement);
  private at: number | null = null;
  private state: State | null = null;
  /** Where the visitor left each knob that sets nothing on the page. */
  private readonly turned = new Map<number, string>();
  private optionsDrawn = "";
  private pictureDrawn = "";

  constructor(private readonly actions: TourActions) {
    this.start.addEventListener("click", () => this.go(0));
    this.back.addEventListener("click", () => this.go((this.at ?? 1) - 1));
    this.next.addEventListener("click", () => (this.at === STEPS.length - 1 ? this.leave() : this.go((this.at ?? 0) + 1)));
    byId("tour-leave", HTMLButtonElement).addEventListener("click", () => this.leave());
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.at !== null && !event.defaultPrevented) {
        this.leave();
      }
    });
  }

  draw(state: State): void {
    this.state = state;
    const step = this.step();
    if (step !== null) {
      this.drawKnob(step, state);
    }
  }

  private step(): Step | null {
    return this.at === null ? null : (STEPS[this.at] ?? null);
  }

  private go(to: number): void {
    this.unmark();
    this.at = Math.min(STEPS.length - 1, Math.max(0, to));
    const step = this.step();
    if (step === null || this.state === null) {
      return;
    }
    this.panel.hidden = false;
    document.documentElement.dataset["tour"] = String(this.at + 1);
    setText(this.where, `Step ${this.at + 1} of ${STEPS.length}`);
    setText(this.title, step.title);
    setText(this.text, step.text);
    this.back.disabled = this.at === 0;
    setText(this.next, this.at === STEPS.length - 1 ? "Done" : "Next");
    this.optionsDrawn = "";
    this.pictureDrawn = "";
    this.knob.replaceChildren();
    this.draw(this.state);
    const place = document.getElementById(step.place);
    place?.setAttribute("data-toured", "");
    place?.scrollIntoView({ block: "start" });
    this.title.focus({ preventScroll: true });
  }

  private leave(): void {
    this.unmark();
    this.actions.level("");
    this.at = null;
    this.panel.hidden = true;
    delete document.documentElement.dataset["tour"];
    this.start.focus({ preventScroll: true });
  }

  private unmark(): void {
    document.querySelector("[data-toured]")?.removeAttribute("data-toured");
  }

  private drawKnob({ knob }: Step, state: State): void {
    const value = this.valueOf(knob, state);
    if (knob.kind === "slider") {
      this.drawSlider(knob, value, state);
    } else {
      this.drawChoice(knob, value, state);
    }
    const locked = knob.setsRun === true && isBusy(state);
    for (const input of this.knob.querySelectorAll("input")) {
      input.disabled = locked;
    }
    setText(this.said, locked ? "A run is under way; this can be turned when it is over." : knob.say(value, state));
    this.drawPicture(knob, value, state);
  }

  private valueOf(knob: Slider | Choice, state: State): string {
    const own = this.at === null ? undefined : this.turned.get(this.at);
    return knob.setsRun === true || own === undefined ? String(knob.value(state)) : own;
  }

  private drawSlider(knob: Slider, value: string, state: State): void {
    const max = knob.max(state);
    const key = `${knob.label}:${max}`;
    if (key !== this.optionsDrawn) {
      this.optionsDrawn = key;
      const input = make("input", { type: "range", id: "tour-slider", min: String(knob.min), max: String(max), step: String(knob.step) });
      input.addEventListener("input", () => this.turn(knob, input.value));
      const label = make("label", { class: "tour-label", for: "tour-slider" }, knob.label);
      this.knob.replaceChildren(label, input, make("output", { for: "tour-slider" }));
    }
    const input = this.knob.querySelector("input");
    if (input !== null && input !== document.activeElement) {
      input.value = value;
    }
    const output = this.knob.querySelector("output");
    if (output !== null) {
      setText(output, value);
    }
  }

  private drawChoice(knob: Choice, value: string, state: State): void {
    const options = knob.options(state);
    const key = `${knob.label}:${options.map((option) => option.value).join(",")}`;
    if (key !== this.optionsDrawn) {
      this.optionsDrawn = key;
      const radios = options.map((option) => {
        const radio = make("input", { type: "radio", name: "tour-choice", value: option.value });
        radio.addEventListener("change", () => this.turn(knob, option.value));
        return make("label", {}, radio, option.title);
      });
      const title = make("span", { class: "tour-label", id: "tour-choice-label" }, knob.label);
      this.knob.replaceChildren(title, make("div", { class: "filter", role: "radiogroup", "aria-labelledby": "tour-choice-label" }, ...radios));
    }
    for (const radio of this.knob.querySelectorAll("input")) {
      radio.checked = radio.value === value;
    }
  }

  private drawPicture(knob: Slider | Choice, value: string, state: State): void {
    const drawn = knob.kind === "slider" ? knob.picture?.(Number(value), state) : undefined;
    const quote = (knob.kind === "slider" ? knob.quote?.(state) : null) ?? null;
    const key = `${this.at}:${drawn?.outerHTML ?? ""}:${quote}`;
    if (key !== this.pictureDrawn) {
      this.pictureDrawn = key;
      const words = quote === null ? [] : [make("pre", { class: "tour-quote", tabindex: "0", "aria-label": "The brief" }, quote)];
      this.picture.replaceChildren(...(drawn === undefined ? [] : [drawn]), ...words);
      this.picture.hidden = drawn === undefined;
    }
  }

  private turn(knob: Slider | Choice, value: string): void {
    if (this.at !== null) {
      this.turned.set(this.at, value);
    }
    if (knob.kind === "slider") {
      knob.turn?.(Number(value), this.actions);
    } else {
      knob.turn(value, this.actions);
    }
    if (this.state !== null) {
      this.draw(this.state);
    }
  }
}
