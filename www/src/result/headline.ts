/** The figure that a kind of task is measured by. */
import type { Metrics, TaskKind } from "#seedbed/events";

export interface Headline {
  value: number;
  low: number;
  high: number;
}

export const MEASURES: Readonly<Record<TaskKind, { title: string; lead: string }>> = {
  classification: { title: "Accuracy", lead: "Accuracy on test rows that no model was trained on, with 95 % intervals." },
  ner: { title: "Entity F1", lead: "F1 of entities, each with its exact words and type, on test rows that no model was trained on, with 95 % intervals." },
  qa: { title: "Exact match", lead: "Answers that match, on test rows that no model was trained on, with 95 % intervals." },
  instruct: { title: "Token probability", lead: "How probable a token of the response that is there is to each model (in the geometric mean; 1 / perplexity), on test rows that no model was trained on, with 95 % intervals." },
};

export function headline({ accuracy, low, high, f1, f1_low, f1_high, loss, loss_low, loss_high }: Metrics, kind: TaskKind): Headline {
  if (kind === "instruct") {
    const probability = (nats = Infinity) => Math.exp(-nats);
    return { value: probability(loss), low: probability(loss_high ?? loss), high: probability(loss_low ?? loss) };
  }
  return kind === "ner" && f1 !== undefined ? { value: f1, low: f1_low ?? f1, high: f1_high ?? f1 } : { value: accuracy, low, high };
}
