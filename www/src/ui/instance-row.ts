/** One instance in the list; opened, where it came from and a small editor. */
import type { Principle } from "#seedbed/events";
import type { Edit, Instance } from "../instances/edits";
import { entityTypes, marked, unmarked } from "../task/entities";
import { percent, ROW_TITLES } from "../words";
import { answerLine, sentence } from "./answer";
import { make } from "./dom";

export interface RowEvents {
  toggled(index: number): void;
  changed(index: number, edit: Edit): void;
}

/** What an open row is shown with. */
export interface Open {
  /** Another tab has the run. */
  readOnly: boolean;
  labels: readonly string[];
  principles: ReadonlyMap<string, Principle>;
}

export function instanceRow(instance: Instance, index: number, open: Open | null, events: RowEvents): HTMLElement {
  const verdict = instance.accepted ? "accepted" : `refused: ${instance.reason ?? "no reason given"}`;
  const toggle = make("button", { type: "button", class: "link", "aria-expanded": String(open !== null) }, "Details");
  toggle.addEventListener("click", () => events.toggled(index));
  const row = make(
    "li",
    { "data-accepted": String(instance.accepted), "data-index": String(index) },
    make("p", { class: "text" }, ...wordsOf(instance)),
    make(
      "p",
      { class: "meta" },
      make("span", { class: "outcome" }, verdict),
      make("span", { class: "tag tag-label" }, instance.label),
      make("span", {}, ROW_TITLES[instance.row]),
      instance.edited ? make("span", { class: "tag tag-edited" }, "edited by you") : null,
      instance.deleted ? make("span", { class: "tag tag-edited" }, "deleted by you") : null,
      toggle,
    ),
  );
  row.toggleAttribute("data-deleted", instance.deleted);
  if (open !== null) {
    row.append(provenance(instance, open.principles), editor(instance, index, open, events));
  }
  return row;
}

function wordsOf({ text, answer, entities }: Instance): (Node | string)[] {
  if (entities !== undefined) {
    return sentence(text, entities);
  }
  return answer === undefined ? [text] : [text, answerLine(answer)];
}

function provenance(instance: Instance, principles: ReadonlyMap<string, Principle>): HTMLElement {
  const from = instance.principles.map((id) => {
    const principle = principles.get(id);
    const values = principle?.values?.length ? ` (${principle.values.join(", ")})` : "";
    return make("li", {}, make("code", {}, id), principle === undefined ? "" : ` ${principle.text}${values}`);
  });
  const facts: [string, string][] = [
    ["Written for", `${ROW_TITLES[instance.row]}, round ${instance.round ?? "?"}, number ${instance.index + 1}`],
    ["Model", instance.model ?? "unknown"],
    ["Generator's seed", String(instance.seed ?? "unknown")],
    ...(instance.agreement === undefined ? [] : [["The reader agrees to", percent(instance.agreement)] satisfies [string, string]]),
    ...(instance.context === undefined ? [] : [["Passage", instance.context] satisfies [string, string]]),
  ];
  return make(
    "div",
    { class: "provenance" },
    make("dl", {}, ...facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)))),
    make("p", { class: "help" }, from.length === 0 ? "Written without principles." : "Written from these principles:"),
    make("ul", { class: "from" }, ...from),
  );
}

function ofMarks(wording: string): Edit {
  const found = unmarked(wording);
  return { ...found, answer: entityTypes(found) || "none" };
}

function editor(instance: Instance, index: number, { labels, readOnly }: Open, events: RowEvents): HTMLElement {
  const { entities, answer } = instance;
  const text = make("textarea", { rows: "2", "aria-label": entities === undefined ? "Wording" : "Wording, entities as [London](city)", maxlength: "20000" });
  text.value = entities === undefined ? instance.text : marked({ text: instance.text, entities });
  const label = make("select", { "aria-label": "Label of this one" }, ...labels.map((name) => make("option", { value: name }, name)));
  label.value = instance.label;
  const words = make("input", { type: "text", "aria-label": "Answer of this one", maxlength: "2000" });
  words.value = answer ?? "";
  // The label of a question, or of a text with entities, is only the group that it counts in.
  const second = entities !== undefined ? null : answer === undefined ? label : words;
  const button = (title: string, work: () => void) => {
    const element = make("button", { type: "button", class: "small" }, title);
    element.addEventListener("click", work);
    return element;
  };
  const save = button("Save", () => {
    const wording = text.value.trim();
    text.setAttribute("aria-invalid", String(wording === ""));
    if (wording === "") {
      text.focus();
    } else {
      events.changed(index, entities !== undefined ? ofMarks(wording) : answer === undefined ? { text: wording, label: label.value } : { text: wording, answer: words.value.trim() });
    }
  });
  const remove = instance.deleted
    ? button("Bring back", () => events.changed(index, { deleted: false }))
    : button("Delete", () => events.changed(index, { deleted: true }));
  text.disabled = instance.deleted || readOnly;
  label.disabled = instance.deleted || readOnly;
  words.disabled = label.disabled;
  save.disabled = instance.deleted || readOnly;
  remove.disabled = readOnly;
  return make("div", { class: "editor" }, text, second, make("div", { class: "buttons" }, save, remove));
}
