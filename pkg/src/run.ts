/** One run under way: its events as they come, its result, and a way to stop it. */
import { type SeedbedError, toSeedbedError } from "./errors";
import type { Report, RunEvent } from "./events";
import type { AdapterFiles } from "./protocol";

/** What a run asks of its student. */
export interface Host {
  /** Stops the run that is under way. */
  stop(): void;
  adapter(run: Run, signal?: AbortSignal): Promise<AdapterFiles>;
}

/**
 * A run. `for await` gives its events from the first, however late the loop begins; leaving the loop does not stop the run.
 * The loop ends where the run does, and throws what the run has failed with, unless the run was cancelled.
 */
export class Run implements AsyncIterable<RunEvent> {
  /** The report, once the run is at its end; refused with a `SeedbedError`, whose code is `cancelled` after `cancel()`. */
  readonly result: Promise<Report>;
  readonly #host: Host;
  readonly #events: RunEvent[] = [];
  #waiting: (() => void)[] = [];
  #ended = false;
  #error: SeedbedError | null = null;

  /** @internal */
  constructor(host: Host, report: Promise<Report>) {
    this.#host = host;
    this.result = report.then(
      (finished) => {
        this.#end(null);
        return finished;
      },
      (thrown: unknown) => {
        const error = toSeedbedError(thrown);
        this.#end(error);
        throw error;
      },
    );
    // Whoever only reads the events hears of a failure there.
    this.result.catch(() => undefined);
  }

  /** Whether the run is over. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Stops the run within a second. What was made so far is kept: `exportAdapter()` gives what was trained, if anything was. */
  cancel(): void {
    if (!this.#ended) {
      this.#host.stop();
    }
  }

  /** The adapter in PEFT's format, once the run is over; `config` is `adapter_config.json`, `weights` `adapter_model.safetensors`. */
  async exportAdapter({ signal }: { signal?: AbortSignal } = {}): Promise<AdapterFiles> {
    await this.result.catch((error: SeedbedError) => {
      if (error.code !== "cancelled") {
        throw error;
      }
    });
    return this.#host.adapter(this, signal);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<RunEvent, void, undefined> {
    for (let next = 0; ; ) {
      const event = this.#events[next];
      if (event !== undefined) {
        next += 1;
        yield event;
      } else if (!this.#ended) {
        await new Promise<void>((wake) => this.#waiting.push(wake));
      } else if (this.#error !== null && this.#error.code !== "cancelled") {
        throw this.#error;
      } else {
        return;
      }
    }
  }

  /** @internal */
  take(event: RunEvent): void {
    this.#events.push(event);
    this.#wake();
  }

  #end(error: SeedbedError | null): void {
    this.#ended = true;
    this.#error = error;
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) {
      wake();
    }
  }
}
