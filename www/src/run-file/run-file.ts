/** A run as one file that another tab can open: its events, the visitor's changes, its settings, its adapter. */
import type { RunEvent } from "#seedbed/events";
import { type Breathe, breather } from "../breather";
import type { Edit, Edits } from "../instances/edits";
import { type Ledger, readLedger } from "../boundary/ledger";
import type { AdapterFiles, ChosenModel, PrincipleSet } from "#seedbed/protocol";
import { emptyRun, type RunView, take } from "../run-view";
import { isKind, type OwnTask } from "../task/own";
import { bytesToBase64, base64ToBytes } from "./base64";
import { isEntity, isPrinciple, knownEvent } from "./events";
import { isNumber, isRecord, isText, maybe, isFlag, listOf, shape } from "./shape";

const FORMAT = "seedbed-run";
const VERSION = 1;

/** No run comes near this; a file beyond it is something else. */
const MOST_BYTES = 500_000_000;

export interface SavedRun {
  /** As in the page's address. */
  settings: string;
  events: RunEvent[];
  edits: Edits;
  adapter: AdapterFiles | null;
  /** The visitor's own seeds, only where the visitor asked for it. */
  own: OwnTask | null;
  /** What had left when it was saved. */
  ledger: Ledger | null;
  /** The principles it went by, where they were not its own to write. */
  principles: PrincipleSet | null;
  /** The model it was begun with, as this browser names it; a file that goes elsewhere does not hold it. */
  model: ChosenModel | null;
}

export function writeRun({ settings, events, edits, adapter, own, ledger, principles }: Omit<SavedRun, "model">): string {
  return JSON.stringify({
    format: FORMAT,
    version: VERSION,
    settings,
    events,
    edits: [...edits],
    adapter: adapter === null ? null : { config: adapter.config, weights: bytesToBase64(adapter.weights) },
    own,
    ledger,
    principles,
  });
}

/** Reads such a file. Throws an error whose message is one line for the person. */
export async function readRun(file: Blob): Promise<SavedRun> {
  if (file.size > MOST_BYTES) {
    throw new Error("This file is too large to be a run; choose the file that \"Run\" saved.");
  }
  const value = parse(await file.text());
  if (!isRecord(value) || value["format"] !== FORMAT) {
    throw new Error("This file is no Seedbed run; choose the file that \"Run\" saved.");
  }
  if (value["version"] !== VERSION) {
    throw new Error(`This run was saved in version ${String(value["version"]).slice(0, 20)} of the format, and this page reads ${VERSION}; reload the page for a newer one.`);
  }
  const { settings, events, edits, adapter, own } = value;
  const breathe = breather();
  return {
    settings: typeof settings === "string" ? settings : "",
    events: await readEvents(events, breathe),
    edits: readEdits(edits),
    adapter: await readAdapter(adapter, breathe),
    ledger: readLedger(value["ledger"]),
    principles: readPrinciples(value["principles"]),
    own: readOwn(own),
    model: null,
  };
}

function readOwn(value: unknown): OwnTask | null {
  if (!isRecord(value) || !shape({ instruction: isText, seeds: isText, test: isText })(value)) {
    return null;
  }
  const { kind } = value;
  return { ...(value as unknown as OwnTask), kind: isKind(kind) ? kind : "classification" };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error("This file is no whole JSON, so perhaps it was cut short; save the run again.");
  }
}

async function readEvents(value: unknown, breathe: Breathe): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for (const [index, item] of (Array.isArray(value) ? value : []).entries()) {
    const event = knownEvent(item);
    await breathe();
    if (event === "broken") {
      throw new Error(`Event ${index + 1} of this run is broken, so the run was not opened; save it again.`);
    }
    if (event !== "unknown") {
      events.push(event);
    }
  }
  if (events[0]?.type !== "run_started") {
    throw new Error("This file holds no run; save it again after pressing Play.");
  }
  return events;
}

export function readEdits(value: unknown): Edits {
  const isEdit = shape({ text: maybe(isText), label: maybe(isText), answer: maybe(isText), entities: maybe(listOf(isEntity)), deleted: maybe(isFlag) });
  const pairs = (Array.isArray(value) ? value : []).filter(
    (pair): pair is [number, Edit] => Array.isArray(pair) && isNumber(pair[0]) && isEdit(pair[1]),
  );
  return new Map(pairs);
}

/** Only their frame is read here; the engine checks every one before a run goes by them. */
export function readPrinciples(value: unknown): PrincipleSet | null {
  return shape({ version: (version) => version === 1, task: isText, principles: listOf(isPrinciple) })(value) ? (value as PrincipleSet) : null;
}

async function readAdapter(value: unknown, breathe: Breathe): Promise<AdapterFiles | null> {
  if (!isRecord(value)) {
    return null;
  }
  const { config, weights } = value;
  const bytes = typeof weights === "string" ? await base64ToBytes(weights, breathe) : null;
  if (typeof config !== "string" || bytes === null) {
    throw new Error("The adapter in this run is broken, so the run was not opened; save it again.");
  }
  return { config, weights: bytes };
}

/** What the page shows of a saved run. */
export function viewOf({ events, edits, model }: SavedRun, run: number, stored: string | null): RunView {
  const view = emptyRun(run);
  view.source = stored === null ? "file" : "storage";
  view.id = stored;
  view.model = model;
  for (const event of events) {
    take(view, event);
  }
  view.edits = new Map([...edits].filter(([index]) => view.instances[index] !== undefined));
  view.editCount = view.edits.size;
  view.phase = view.report === null ? "stopped" : "finished";
  return view;
}
