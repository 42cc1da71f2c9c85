/** The settings of the next run. */
import type { Recipe, RowName } from "#seedbed/events";
import type { DeviceChoice } from "#seedbed/protocol";
import { knobsOf, knobTitle, type KnobValue, knobValue, RECIPE_NAMES, RECIPES, switchesOf } from "../recipe/recipes";
import type { Knob } from "../recipe/knob";
import { RANGES, wholeNumber, type Settings } from "../settings";
import type { State } from "../state";
import { count, ROW_ABOUT, ROW_TITLES } from "../words";
import { byId, make, showError } from "./dom";
import { isBusy } from "./task";

type NumberName = keyof typeof RANGES;

const TITLES: Record<NumberName, string> = {
  instances: "Instances",
  test: "Test rows",
  seed: "Random seed",
  seeds: "Seeds per label",
  epochs: "Epochs",
  rounds: "Rounds",
};

/** These may be left empty, and then the recipe decides. */
const OPTIONAL: readonly NumberName[] = ["seeds", "epochs", "rounds"];

export class SettingsPlace {
  private readonly fieldsets = ["recipe-fields", "settings-fields", "advanced-fields"].map((id) => byId(id, HTMLFieldSetElement));
  private readonly error = byId("settings-error", HTMLParagraphElement);
  private readonly numbers: Record<NumberName, HTMLInputElement> = {
    instances: byId("set-instances", HTMLInputElement),
    test: byId("set-test", HTMLInputElement),
    seed: byId("set-seed", HTMLInputElement),
    seeds: byId("set-seeds", HTMLInputElement),
    epochs: byId("set-epochs", HTMLInputElement),
    rounds: byId("set-rounds", HTMLInputElement),
  };
  private readonly device = byId("set-device", HTMLSelectElement);
  private readonly recipes = new Map<Recipe, HTMLInputElement>();
  private recipe: Recipe;
  private rows = new Map<RowName, HTMLInputElement>();
  private switches = new Map<string, HTMLInputElement>();
  private knobs = new Map<Knob, HTMLInputElement | HTMLSelectElement>();

  constructor(
    start: Settings,
    private readonly changed: (settings: Partial<Settings>) => void,
  ) {
    const form = byId("settings", HTMLFormElement);
    form.addEventListener("submit", (event) => event.preventDefault());
    for (const name of RECIPE_NAMES) {
      const radio = make("input", { type: "radio", name: "recipe", value: name });
      this.recipes.set(name, radio);
      byId("set-recipe", HTMLDivElement).append(make("label", { class: "task-card" }, radio, make("b", {}, RECIPES[name].title), make("span", {}, RECIPES[name].about)));
    }
    this.recipe = start.recipe;
    this.fill(start);
    form.addEventListener("input", (event) => {
      const chosen = RECIPE_NAMES.find((name) => this.recipes.get(name) === event.target);
      if (chosen !== undefined) {
        this.offer(chosen);
        this.choose(RECIPES[chosen].usual, [], {});
      }
      const settings = this.read();
      if (settings !== null) {
        this.changed(settings);
      }
    });
  }

  /** Puts settings into the fields. */
  fill(settings: Settings): void {
    const radio = this.recipes.get(settings.recipe);
    if (radio !== undefined) {
      radio.checked = true;
    }
    this.offer(settings.recipe);
    for (const [name, input] of this.inputs()) {
      input.value = String(settings[name] ?? "");
    }
    this.choose(settings.rows, settings.ablations, settings.knobs);
    this.device.value = settings.device;
    const turned = Object.keys(settings.knobs).length > 0;
    byId("advanced", HTMLDetailsElement).open =
      OPTIONAL.some((name) => settings[name] !== null) || settings.rows.join() !== RECIPES[settings.recipe].usual.join() || settings.ablations.length > 0 || turned;
    byId("knobs", HTMLDetailsElement).open = turned;
  }

  /** Turns one of them from elsewhere, as if it had been typed. */
  set(name: NumberName, value: number): void {
    const input = this.numbers[name];
    input.value = String(value);
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }

  compare(row: RowName, compared: boolean): void {
    const check = this.rows.get(row);
    if (check !== undefined) {
      check.checked = compared;
      check.dispatchEvent(new Event("input", { bubbles: true }));
    }
  }

  /** The settings as they stand, or `null` after saying which of them cannot be. */
  read(): Partial<Settings> | null {
    const rows = [...this.rows].filter(([, check]) => check.checked).map(([name]) => name);
    let complaint = rows.length === 0 ? "Rows to compare: choose at least one." : null;
    const values: Partial<Record<NumberName, number>> = {};
    for (const [name, input] of this.inputs()) {
      const usual = OPTIONAL.includes(name) && input.value.trim() === "" && !input.validity.badInput;
      const value = usual ? null : wholeNumber(input.value, RANGES[name]);
      const wrong = value === null && !usual;
      input.setAttribute("aria-invalid", String(wrong));
      if (wrong) {
        const { min, max } = RANGES[name];
        complaint ??= `${TITLES[name]}: a whole number from ${count(min)} to ${count(max)}, please.`;
      } else if (value !== null) {
        values[name] = value;
      }
    }
    const knobs: Record<string, KnobValue> = {};
    for (const [knob, field] of this.knobs) {
      const text = field instanceof HTMLInputElement && field.type === "checkbox" ? String(field.checked) : field.value;
      const value = field.validity.badInput ? null : knobValue(knob, text);
      field.setAttribute("aria-invalid", String(value === null));
      if (value === null) {
        complaint ??= `${knobTitle(knob.name)}: a ${knob.kind === "whole" ? "whole number" : "number"} from ${knob.min} to ${knob.max}, please.`;
      } else if (value !== undefined) {
        knobs[knob.name] = value;
      }
    }
    showError(this.error, complaint);
    if (complaint !== null) {
      return null;
    }
    return {
      ...values,
      recipe: this.recipe,
      seeds: values.seeds ?? null,
      epochs: values.epochs ?? null,
      rounds: values.rounds ?? null,
      device: this.device.value as DeviceChoice,
      rows,
      ablations: [...this.switches].filter(([, check]) => check.checked).map(([name]) => name),
      knobs,
    };
  }

  draw(state: State): void {
    for (const fieldset of this.fieldsets) {
      fieldset.disabled = isBusy(state);
    }
  }

  /** Shows what can be chosen with a recipe. */
  private offer(recipe: Recipe): void {
    if (recipe === this.recipe && this.rows.size > 0) {
      return;
    }
    this.recipe = recipe;
    const check = (name: string, title: string, about: string) => {
      const input = make("input", { type: "checkbox", value: name });
      return { input, label: make("label", { title: about }, input, title) };
    };
    const told = (name: string, about: string) => {
      const input = make("input", { type: "checkbox", value: name, "aria-describedby": `switch-${name}` });
      const line = make("div", {}, make("label", { class: "check" }, input, knobTitle(name)), make("small", { class: "help", id: `switch-${name}` }, about));
      return { input, line };
    };
    const rows = RECIPES[recipe].rows.map((name) => ({ name, ...check(name, ROW_TITLES[name], ROW_ABOUT[name]) }));
    this.rows = new Map(rows.map(({ name, input }) => [name, input]));
    byId("set-rows", HTMLDivElement).replaceChildren(...rows.map(({ label }) => label));
    const switches = switchesOf(recipe).map(({ name, doc }) => ({ name, ...told(name, doc) }));
    this.switches = new Map(switches.map(({ name, input }) => [name, input]));
    byId("set-switches", HTMLDivElement).replaceChildren(...switches.map(({ line }) => line));
    const knobs = knobsOf(recipe).map((knob) => ({ knob, ...knobField(knob) }));
    this.knobs = new Map(knobs.map(({ knob, field }) => [knob, field]));
    byId("set-knobs", HTMLDivElement).replaceChildren(...knobs.map(({ line }) => line));
    this.numbers.rounds.placeholder = String(RECIPES[recipe].rounds);
  }

  private choose(rows: readonly RowName[], switches: readonly string[], knobs: Readonly<Record<string, KnobValue>>): void {
    for (const [name, check] of this.rows) {
      check.checked = rows.includes(name);
    }
    for (const [name, check] of this.switches) {
      check.checked = switches.includes(name);
    }
    for (const [knob, field] of this.knobs) {
      const value = knobs[knob.name];
      if (field instanceof HTMLInputElement && field.type === "checkbox") {
        field.checked = value === true;
      } else {
        field.value = String(value ?? "");
      }
    }
  }

  private inputs(): [NumberName, HTMLInputElement][] {
    return Object.entries(this.numbers) as [NumberName, HTMLInputElement][];
  }
}

/** A field for a knob, with the line that the engine's own help has of it. */
function knobField(knob: Knob): { line: HTMLElement; field: HTMLInputElement | HTMLSelectElement } {
  const about = `knob-${knob.name}`;
  const help = make("small", { class: "help", id: about }, knob.doc);
  const title = make("span", {}, knobTitle(knob.name));
  if (knob.kind === "flag") {
    const field = make("input", { type: "checkbox", "aria-describedby": about });
    return { field, line: make("div", { class: "field" }, make("label", { class: "check" }, field, title), help) };
  }
  const field = knob.kind === "word" ? make("select", {}, ...["", ...(knob.words ?? [])].map((word) => make("option", { value: word }, word === "" ? "usual" : word.replaceAll("_", " ")))) : make("input", numberField(knob));
  field.setAttribute("aria-describedby", about);
  return { field, line: make("div", { class: "field" }, make("label", { class: "field" }, title, field), help) };
}

function numberField({ kind, usual, min, max }: Knob): Record<string, string> {
  const range = min === undefined || max === undefined ? {} : { min: String(min), max: String(max) };
  return { type: "number", step: kind === "whole" ? "1" : "any", placeholder: usual === "" ? "usual" : usual, ...range };
}
