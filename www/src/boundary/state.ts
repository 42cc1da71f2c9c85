/** What the page knows of its teacher, and of what left. */
import type { Brief, PrincipleSet } from "#seedbed/protocol";
import { emptyLedger, EPSILON_TOTAL, type Ledger } from "./ledger";

export type TeacherKind = "offline" | "recorded" | "endpoint";

/** Principles that the page has had, with where they came from. */
export interface Version {
  from: string;
  set: PrincipleSet;
}

export interface BoundaryState {
  teacher: TeacherKind;
  address: string;
  model: string;
  epsilon: number;
  total: number;
  tellWeakness: boolean;
  confirmed: boolean;
  brief: Brief | null;
  /** A brief that is only looked at, as the tour does; it is never the one that is sent. */
  preview: string | null;
  /** The brief waits for a run in the middle of its work. */
  waiting: boolean;
  /** The visitor has read the brief. */
  read: boolean;
  phase: "idle" | "drawing" | "asking";
  error: string | null;
  said: string;
  /** What the next run goes by; nothing: it writes its own. */
  set: PrincipleSet | null;
  versions: Version[];
  ledger: Ledger;
  /** Bytes on their way, which the engine's ledger does not show yet. */
  underWay: number;
}

export function emptyBoundary(): BoundaryState {
  return {
    teacher: "offline",
    address: "http://localhost:11434/v1",
    model: "llama3.2",
    epsilon: 2,
    total: EPSILON_TOTAL,
    tellWeakness: false,
    confirmed: false,
    brief: null,
    preview: null,
    waiting: false,
    read: false,
    phase: "idle",
    error: null,
    said: "",
    set: null,
    versions: [],
    ledger: emptyLedger(),
    underWay: 0,
  };
}
