/** The page's one state, and who wants to know when it changed. */
import { type BoundaryState, emptyBoundary } from "./boundary/state";
import type { AdapterFiles, Calls, OpenedEngine, TaskSummary } from "#seedbed/protocol";
import { breather } from "./breather";
import { emptyModels, type ModelsState } from "./models/state";
import { emptyRun, type RunView } from "./run-view";
import type { Settings } from "./settings";

export interface State {
  settings: Settings;
  engine: OpenedEngine | null;
  engineError: string | null;
  notices: { code: string; message: string }[];
  summary: TaskSummary | null;
  taskError: string | null;
  /** A text that the next run is to answer as it learns. */
  watch: string;
  run: RunView;
  /** The engine holds what the last run made (its worker was not ended). */
  engineHasRun: boolean;
  /** What only a run out of a file has: its adapter, which the engine does not hold. */
  opened: { adapter: AdapterFiles | null } | null;
  /** Another tab has the run that is shown; this one only reads it. */
  readOnly: boolean;
  kept: Calls["kept"]["output"] | null;
  /** All that the page needs lies in this browser. */
  offline: boolean;
  models: ModelsState;
  /** The teacher, the brief, the ledger. */
  boundary: BoundaryState;
}

/** Changes arrive by the hundred; the places are drawn again at most this often. */
const DRAW_EVERY_MS = 50;

export class Store {
  readonly state: State;
  private readonly listeners: ((state: State) => void)[] = [];
  private planned: ReturnType<typeof setTimeout> | null = null;

  constructor(settings: Settings) {
    this.state = {
      settings,
      engine: null,
      engineError: null,
      notices: [],
      summary: null,
      taskError: null,
      watch: "",
      run: emptyRun(0),
      engineHasRun: false,
      opened: null,
      readOnly: false,
      kept: null,
      offline: false,
      models: emptyModels(),
      boundary: emptyBoundary(),
    };
  }

  subscribe(listener: (state: State) => void): void {
    this.listeners.push(listener);
    listener(this.state);
  }

  update(change: (state: State) => void): void {
    change(this.state);
    if (this.planned === null) {
      // A timer, not an animation frame: those stand still in a hidden tab, and the title shows the progress there.
      this.planned = setTimeout(() => void this.flow(), DRAW_EVERY_MS);
    }
  }

  /** Place after place; where the first took long, the browser has its turn before the next. */
  private async flow(): Promise<void> {
    this.planned = null;
    const breathe = breather();
    for (const listener of this.listeners) {
      listener(this.state);
      await breathe();
    }
  }

  /** Shows the state as it is now, without waiting for the next drawing. */
  draw(): void {
    if (this.planned !== null) {
      clearTimeout(this.planned);
      this.planned = null;
    }
    for (const listener of this.listeners) {
      listener(this.state);
    }
  }
}
