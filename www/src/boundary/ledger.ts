/** The ledger as the engine writes it (`src/privacy/ledger.rs`), and what the page adds to it. Times are milliseconds since 1970. */
import { isNumber, isRecord, isText, listOf, maybe, oneOf, shape } from "../run-file/shape";

export type LedgerEntry =
  | { type: "cleared"; at: number; destination: string; epsilon: number; releases: { id: string; epsilon: number }[]; bytes: number; tokens: number; text: string }
  | { type: "refused"; at: number; reason: string }
  | { type: "shared"; at: number; destination: string; seeds: number }
  | { type: "sent"; at: number; destination: string; bytes: number; body: string }
  | { type: "answered"; at: number; status: number; bytes: number; tokens: [number, number] | null; text: string }
  /** A file that came in, or, where `bytes` is null, a request to the model hub. */
  | { type: "download"; at: number; url: string; bytes: number | null };

export interface Ledger {
  version: 1;
  /** Epsilon over all rounds. */
  total: number;
  spent: number;
  bytes_sent: number;
  entries: LedgerEntry[];
}

export const EPSILON_TOTAL = 6;

export function emptyLedger(): Ledger {
  return { version: 1, total: EPSILON_TOTAL, spent: 0, bytes_sent: 0, entries: [] };
}

const isEntry = shape({ type: oneOf("cleared", "refused", "shared", "sent", "answered", "download"), at: isNumber, body: maybe(isText), text: maybe(isText) });
const isLedger = shape({ version: (value) => value === 1, total: isNumber, spent: isNumber, bytes_sent: isNumber, entries: listOf(isEntry) });

/** A ledger out of a file; nothing where it is none. Its sums are checked by the engine when it goes on with it. */
export function readLedger(value: unknown): Ledger | null {
  return isRecord(value) && isLedger(value) ? (value as unknown as Ledger) : null;
}

/** The engine's ledger with the page's own lines, in the order of time. */
export function withOwnLines(ledger: Ledger, own: readonly LedgerEntry[]): Ledger {
  const entries = [...ledger.entries.filter((entry) => entry.type !== "download" && !isProbe(entry)), ...own];
  return { ...ledger, entries: entries.sort((a, b) => a.at - b.at) };
}

/** A request without content, which the door makes to tell a refusal from a broken network. */
export function isProbe(entry: LedgerEntry): boolean {
  return entry.type === "sent" && entry.bytes === 0;
}

/** Tokens that the teacher has read and written. */
export function tokensOf(ledger: Ledger): number {
  return ledger.entries.reduce((sum, entry) => sum + (entry.type === "answered" && entry.tokens !== null ? entry.tokens[0] + entry.tokens[1] : 0), 0);
}
