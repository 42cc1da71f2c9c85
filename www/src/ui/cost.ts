/** Energy and emissions of a run by phase, beside those of sending everything; with assumptions that can be changed. */
import { type Assumptions, ASSUMPTIONS, type Cost, costOf, type Energy, type Span } from "../boundary/cost";
import type { Stage } from "#seedbed/events";
import type { State, Store } from "../state";
import { bytes, count, STAGE_TITLES } from "../words";
import { byId, emptyHint, make } from "./dom";

const SPANS: readonly ["local_watts" | "remote_wh_per_1000_tokens" | "grams_co2e_per_kwh", string][] = [
  ["local_watts", "Watts of this machine at work"],
  ["remote_wh_per_1000_tokens", "Watt-hours a large model takes for 1000 tokens"],
  ["grams_co2e_per_kwh", "Grams of CO2e for a kilowatt-hour"],
];
const COUNTS: readonly ["instances_per_request" | "tokens_of_request_frame", string][] = [
  ["instances_per_request", "Instances a large model would write in one answer"],
  ["tokens_of_request_frame", "Tokens around the seeds in such a request"],
];

export class CostPlace {
  private readonly table = byId("cost-table", HTMLDivElement);
  private readonly assumptions: Assumptions = structuredClone(ASSUMPTIONS);
  private drawn = "";

  constructor(private readonly store: Store) {
    const fields = byId("cost-fields", HTMLDivElement);
    for (const [name, title] of SPANS) {
      fields.append(this.field(`${title}, low`, this.assumptions[name].low, (value) => (this.assumptions[name].low = value)));
      fields.append(this.field(`${title}, high`, this.assumptions[name].high, (value) => (this.assumptions[name].high = value)));
    }
    for (const [name, title] of COUNTS) {
      fields.append(this.field(title, this.assumptions[name], (value) => (this.assumptions[name] = value)));
    }
  }

  private field(title: string, value: number, set: (value: number) => void): HTMLElement {
    const input = make("input", { type: "number", min: "0", step: "any", value: String(value) });
    input.addEventListener("input", () => {
      if (Number.isFinite(input.valueAsNumber) && input.valueAsNumber >= 0) {
        set(input.valueAsNumber);
        this.draw(this.store.state);
      }
    });
    return make("label", { class: "field" }, make("span", {}, title), input);
  }

  draw({ run, summary, boundary }: State): void {
    const { report } = run;
    const key = report === null || summary === null ? "" : JSON.stringify([run.run, report.seconds, boundary.ledger.entries.length, summary.name, this.assumptions]);
    if (key === this.drawn && this.table.childElementCount > 0) {
      return;
    }
    this.drawn = key;
    this.table.replaceChildren(
      report === null || summary === null ? emptyHint("After a run, each phase stands here.") : tableOf(costOf(report, summary, boundary.ledger, this.assumptions)),
    );
  }
}

function tableOf({ local, teacher, instead }: Cost): HTMLElement {
  const head = make("tr", {}, ...["", "What it was", "Energy, low to high", "CO2e, low to high"].map((title) => make("th", { scope: "col" }, title)));
  const rows = local.map(([stage, seconds, energy]) => row(STAGE_TITLES[stage as Stage] ?? stage, `${seconds.toFixed(1)} s here`, energy));
  rows.push(row("Teacher", teacher.tokens === 0 ? "not asked" : `${count(teacher.tokens)} tokens, ${bytes(teacher.bytes)} sent`, teacher.energy));
  const other = row("Instead", `all ${count(instead.seeds)} seeds sent, ${bytes(instead.bytes)}, and ${count(instead.tokens)} tokens for a large model to write the instances`, instead.energy);
  other.classList.add("instead");
  return make("table", { class: "cost" }, make("thead", {}, head), make("tbody", {}, ...rows, other));
}

function row(title: string, what: string, { wattHours, grams }: Energy): HTMLTableRowElement {
  return make("tr", {}, make("th", { scope: "row" }, title), make("td", {}, what), make("td", {}, span(wattHours, "Wh")), make("td", {}, span(grams, "g")));
}

function span({ low, high }: Span, unit: string): string {
  const figure = (value: number) => value.toLocaleString("en-GB", { maximumSignificantDigits: 2 });
  return low === high ? `${figure(low)} ${unit}` : `${figure(low)} to ${figure(high)} ${unit}`;
}
