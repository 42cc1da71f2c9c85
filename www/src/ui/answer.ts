/** Texts with their answers, as they are shown: entities marked where they stand, a question with its answer below. */
import type { Entity } from "#seedbed/events";
import { parts } from "../task/entities";
import { make } from "./dom";

/** The text with its entities marked. */
export function sentence(text: string, entities: readonly Entity[]): (HTMLElement | string)[] {
  return parts({ text, entities: [...entities] }).map(({ text: part, label }) =>
    label === null ? part : make("mark", { class: "entity" }, part, make("small", {}, label)),
  );
}

/** The answer to a question, on a line of its own. */
export function answerLine(answer: string): HTMLElement {
  return make("span", { class: "answer" }, make("span", { class: "visually-hidden" }, "Answer: "), answer);
}
