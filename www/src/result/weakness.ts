/** A weakness card out of the log, which may also come out of a file. */
import { isNumber, isText, listOf, shape } from "../run-file/shape";

export interface Errors {
  wrong: number;
  judged: number;
}

/** What a student gets wrong: counts by label, pairs that are confused, kinds of texts. Labels by their place among the task's. */
export interface WeaknessCard {
  all: Errors;
  labels: Errors[];
  confused: { label: number; predicted: number; count: number }[];
  kinds: { label: number; descriptor: string; errors: Errors }[];
}

const isErrors = shape({ wrong: isNumber, judged: isNumber });
const isCard = shape({
  all: isErrors,
  labels: listOf(isErrors),
  confused: listOf(shape({ label: isNumber, predicted: isNumber, count: isNumber })),
  kinds: listOf(shape({ label: isNumber, descriptor: isText, errors: isErrors })),
});

/** `null` where it is a card of another version. */
export function weaknessCard(value: Record<string, unknown>): WeaknessCard | null {
  return isCard(value) ? (value as unknown as WeaknessCard) : null;
}
