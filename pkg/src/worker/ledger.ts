/**
 * The engine writes a request down before it knocks at the door. One that the visitor did not let through never left, so its
 * line is taken out here; only what the page has passed on counts as sent.
 */
/** What matters here of the engine's ledger. */
interface Ledger {
  entries: { type: string; body: string; bytes: number; status?: number }[];
  bytes_sent: number;
}

/** Bodies that have passed the door, as often as they did. */
let passed: string[] = [];

export function hasPassed(body: string): void {
  passed.push(body);
}

/** The engine goes on with this ledger; what it says was sent, was sent. */
export function goOnWith(text: string): void {
  passed = (JSON.parse(text) as Ledger).entries.flatMap((entry) => (entry.type === "sent" ? [entry.body] : []));
}

/** The engine's ledger without what never left. */
export function withoutHeld(text: string | undefined): string | undefined {
  if (text === undefined) {
    return undefined;
  }
  const ledger = JSON.parse(text) as Ledger;
  const left = [...passed];
  let held = false;
  ledger.entries = ledger.entries.filter((entry) => {
    if (entry.type === "sent") {
      const at = left.indexOf(entry.body);
      held = at === -1;
      left.splice(at, held ? 0 : 1);
      return !held;
    }
    const answer = held && entry.type === "answered" && entry.status === 0;
    held = held && !answer;
    return !answer;
  });
  ledger.bytes_sent = ledger.entries.reduce((sum, entry) => sum + (entry.type === "sent" ? entry.bytes : 0), 0);
  return JSON.stringify(ledger);
}
