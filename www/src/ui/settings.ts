/** The settings of the next run. */
import type { RowName } from "#seedbed/events";
import type { DeviceChoice } from "#seedbed/protocol";
import { RANGES, ROW_NAMES, wholeNumber, type Settings } from "../settings";
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
};

export class SettingsPlace {
  private readonly fieldsets = [
    byId("settings-fields", HTMLFieldSetElement),
    byId("advanced-fields", HTMLFieldSetElement),
  ];
  private readonly error = byId("settings-error", HTMLParagraphElement);
  private readonly numbers: Record<NumberName, HTMLInputElement> = {
    instances: byId("set-instances", HTMLInputElement),
    test: byId("set-test", HTMLInputElement),
    seed: byId("set-seed", HTMLInputElement),
    seeds: byId("set-seeds", HTMLInputElement),
    epochs: byId("set-epochs", HTMLInputElement),
  };
  private readonly device = byId("set-device", HTMLSelectElement);
  private readonly rows = new Map<RowName, HTMLInputElement>();

  constructor(start: Settings, changed: (settings: Partial<Settings>) => void) {
    byId("settings", HTMLFormElement).addEventListener("submit", (event) => event.preventDefault());
    const box = byId("set-rows", HTMLDivElement);
    for (const name of ROW_NAMES) {
      const check = make("input", { type: "checkbox", value: name });
      this.rows.set(name, check);
      box.append(make("label", { title: ROW_ABOUT[name] }, check, ROW_TITLES[name]));
    }
    this.fill(start);

    const everything = [...Object.values(this.numbers), this.device, ...this.rows.values()];
    for (const input of everything) {
      input.addEventListener("input", () => {
        const settings = this.read();
        if (settings !== null) {
          changed(settings);
        }
      });
    }
  }

  /** Puts settings into the fields. */
  fill(settings: Settings): void {
    for (const [name, input] of this.inputs()) {
      input.value = String(settings[name] ?? "");
    }
    for (const [name, check] of this.rows) {
      check.checked = settings.rows.includes(name);
    }
    this.device.value = settings.device;
    byId("advanced", HTMLDetailsElement).open =
      settings.seeds !== null || settings.epochs !== null || settings.rows.length < ROW_NAMES.length;
  }

  /** Turns one of them from elsewhere, as if it had been typed. */
  set(name: NumberName, value: number): void {
    const input = this.numbers[name];
    input.value = String(value);
    input.dispatchEvent(new Event("input"));
  }

  compare(row: RowName, compared: boolean): void {
    const check = this.rows.get(row);
    if (check !== undefined) {
      check.checked = compared;
      check.dispatchEvent(new Event("input"));
    }
  }

  /** The settings as they stand, or `null` after saying which of them cannot be. */
  read(): Partial<Settings> | null {
    const rows = ROW_NAMES.filter((name) => this.rows.get(name)?.checked);
    let complaint = rows.length === 0 ? "Rows to compare: choose at least one." : null;
    const values: Partial<Record<NumberName, number>> = {};
    for (const [name, input] of this.inputs()) {
      const usual = (name === "epochs" || name === "seeds") && input.value.trim() === "" && !input.validity.badInput;
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
    showError(this.error, complaint);
    if (complaint !== null) {
      return null;
    }
    return { ...values, seeds: values.seeds ?? null, epochs: values.epochs ?? null, device: this.device.value as DeviceChoice, rows };
  }

  draw(state: State): void {
    for (const fieldset of this.fieldsets) {
      fieldset.disabled = isBusy(state);
    }
  }

  private inputs(): [NumberName, HTMLInputElement][] {
    return Object.entries(this.numbers) as [NumberName, HTMLInputElement][];
  }
}
