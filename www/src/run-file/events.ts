/** The shape of each event, for events that were not made by this tab. */
import type { RunEvent } from "#seedbed/events";
import { ROW_TITLES, STAGE_TITLES } from "../words";
import { type Is, isFlag, isNumber, isRecord, isText, listOf, mapOf, maybe, oneOf, shape } from "./shape";

const isRow = oneOf(...Object.keys(ROW_TITLES));
const isStage = oneOf(...Object.keys(STAGE_TITLES));
const isMetrics = shape({
  accuracy: isNumber,
  macro_f1: isNumber,
  low: isNumber,
  high: isNumber,
  n: isNumber,
  ...Object.fromEntries(["f1", "f1_low", "f1_high", "precision", "recall", "loss", "loss_low", "loss_high", "perplexity", "score", "score_low", "score_high"].map((name) => [name, maybe(isNumber)])),
});

const isRound = shape({ row: isRow, round: isNumber, generated: isNumber, accepted: isNumber, dev: maybe(isMetrics), f1_by_label: maybe(listOf(isNumber)) });

const isReport = shape({
  rounds: maybe(listOf(isRound)),
  task: isText,
  model: isText,
  device: isText,
  seed: isNumber,
  rows: (value) => isRecord(value) && Object.keys(value).every(isRow) && Object.values(value).every(isMetrics),
  instances: shape({ generated: isNumber, accepted: isNumber, refused: mapOf(isNumber) }),
  teacher: shape({ kind: isText, requests: isNumber, bytes: isNumber }),
  seconds: mapOf(isNumber),
});

export const isEntity = shape({ start: isNumber, end: isNumber, label: isText });

export const isPrinciple = shape({
  id: isText,
  level: oneOf("task", "label", "instance"),
  label: maybe(isText),
  attribute: maybe(isText),
  values: maybe(listOf(isText)),
  text: isText,
  polarity: oneOf("do", "avoid"),
  support: isNumber,
});

const SHAPES: Record<RunEvent["type"], Is> = {
  run_started: shape({
    task: isText,
    model: isText,
    device: isText,
    seed: isNumber,
    recipe: maybe(oneOf("psi", "lance", "evokd")),
    kind: maybe(oneOf("classification", "ner", "qa", "instruct")),
    labels: listOf(isText),
    seeds: isNumber,
    test: isNumber,
    warnings: listOf(isText),
    memory: maybe(mapOf(isNumber)),
  }),
  stage_started: shape({ stage: isStage, row: maybe(isRow), total: isNumber }),
  progress: shape({ stage: isStage, row: maybe(isRow), done: isNumber, total: isNumber, seconds_left: maybe(isNumber), overall: isNumber }),
  stage_finished: shape({ stage: isStage, row: maybe(isRow), seconds: isNumber }),
  principle: shape({ principle: isPrinciple }),
  verdict: shape({
    verdict: shape({ id: isText, reason: oneOf("kept", "trusted", "no_gain", "redundant", "no_room"), votes: isNumber, gain: isNumber }),
  }),
  instance: shape({
    row: isRow,
    index: isNumber,
    label: isText,
    text: isText,
    accepted: isFlag,
    reason: maybe(isText),
    refusal: maybe(isText),
    principles: listOf(isText),
    round: maybe(isNumber),
    model: maybe(isText),
    seed: maybe(isNumber),
    answer: maybe(isText),
    context: maybe(isText),
    agreement: maybe(isNumber),
    entities: maybe(listOf(isEntity)),
  }),
  train_step: shape({
    row: maybe(isRow),
    step: isNumber,
    total: isNumber,
    loss: isNumber,
    learning_rate: isNumber,
    grad_norm: isNumber,
    num_tokens: isNumber,
  }),
  dpo_step: shape({
    row: maybe(isRow),
    step: isNumber,
    total: isNumber,
    loss: isNumber,
    learning_rate: isNumber,
    grad_norm: isNumber,
    rewards_chosen: isNumber,
    rewards_rejected: isNumber,
    rewards_accuracies: isNumber,
    rewards_margins: isNumber,
  }),
  review: shape({ row: isRow, round: isNumber, text: isText, answer: isText, score: isNumber, origin: isText }),
  preference: shape({ row: isRow, round: isNumber, text: isText, context: maybe(isText), chosen: isText, rejected: isText, scores: listOf(isNumber) }),
  weakness: shape({ row: isRow, round: isNumber, card: isRecord }),
  quotas: shape({ row: isRow, round: isNumber, hard: listOf(isNumber), easy: listOf(isNumber) }),
  round_finished: shape({ report: isRound }),
  brief: shape({ text: isText, destination: isText, epsilon: isNumber }),
  note: shape({ text: isText }),
  tested: shape({ rows: listOf(shape({ text: isText, label: isNumber, answer: maybe(isText) })) }),
  sample: shape({ row: maybe(isRow), step: isNumber, total: isNumber, text: isText, label: isText, probability: maybe(isNumber), answer: maybe(isText) }),
  row_finished: shape({ row: isRow, metrics: isMetrics, confusion: listOf(listOf(isNumber)), predicted: maybe(listOf(isNumber)), answers: maybe(listOf(isText)) }),
  finished: shape({ report: isReport }),
};

/** Events of a kind that this page does not know are left out, as a later page may write more. */
export function knownEvent(value: unknown): RunEvent | "unknown" | "broken" {
  if (!isRecord(value) || typeof value["type"] !== "string") {
    return "broken";
  }
  const type = value["type"];
  if (!Object.hasOwn(SHAPES, type)) {
    return "unknown";
  }
  return SHAPES[type as RunEvent["type"]](value) ? (value as unknown as RunEvent) : "broken";
}
