/** The near side of the worker: each call is a promise, and Stop never waits longer than a second. */
import type { RunEvent } from "./events";
import type { CallName, Calls, DeviceChoice, Failure, Message, Request } from "./protocol";

/** How long a run may take to answer Stop before its worker is called deaf; the page needs the rest of the second to show it. */
const STOP_PATIENCE_MS = 800;

const STOPPED: Failure = { code: "cancelled", message: "Stopped." };

export interface Listener {
  event(event: RunEvent): void;
  loading(done: number, total: number | null): void;
  notice(code: string, message: string): void;
  lost?(message: string): void;
  keeping?(done: number, total: number): void;
  asked?(url: string): void;
  /** The engine wants something sent, and waits for the answer on the port. */
  knock?(url: string, body: string, port: MessagePort): void;
  downloaded?(url: string, bytes: number): void;
  /** The worker was ended. */
  ended?(): void;
}

/** A failed call: `code` for the page, `message` for the person. */
export class EngineError extends Error {
  readonly code: string;

  constructor(failure: Failure) {
    super(failure.message);
    this.code = failure.code;
  }
}

interface Waiting {
  resolve(output: Calls[CallName]["output"]): void;
  reject(error: EngineError): void;
}

export class EngineClient {
  private worker: Worker | null = null;
  private waiting = new Map<number, Waiting>();
  private lastId = 0;
  private device: DeviceChoice = "auto";
  private threads: number | undefined;

  constructor(
    private readonly listener: Listener,
    /** How the worker is started is for whoever has bundled it. */
    private readonly startWorker: () => Worker,
  ) {}

  /** Starts a worker on the device, with so many threads at most on the CPU; a worker that is already there is ended. */
  open(device: DeviceChoice, threads?: number): Promise<Calls["open"]["output"]> {
    this.device = device;
    this.threads = threads;
    this.end(STOPPED);
    const worker = this.startWorker();
    worker.addEventListener("message", (message: MessageEvent<Message>) => this.receive(message.data));
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.failAll({ code: "device", message: `The engine's worker failed (${event.message || "it could not be loaded"}); reload the page.` });
    });
    this.worker = worker;
    return this.call("open", { base: location.href, device, ...(threads === undefined ? {} : { threads }) });
  }

  /** Starts the engine again on the same device, as after a crash. */
  reopen(): Promise<Calls["open"]["output"]> {
    return this.open(this.device, this.threads);
  }

  /** `signal` gives the call up: the promise is refused at once, the worker stops as soon as it hears of it. */
  call<K extends CallName>(name: K, input: Calls[K]["input"], signal?: AbortSignal): Promise<Calls[K]["output"]> {
    const { worker } = this;
    if (worker === null) {
      return Promise.reject(new EngineError({ code: "device", message: "The engine is not open; reload the page." }));
    }
    if (signal?.aborted === true) {
      return Promise.reject(new EngineError(STOPPED));
    }
    const id = ++this.lastId;
    return new Promise((resolve, reject) => {
      signal?.addEventListener("abort", () => this.giveUp(id), { once: true });
      this.waiting.set(id, { resolve: resolve as Waiting["resolve"], reject });
      worker.postMessage({ call: name, id, ...input } as Request);
    });
  }

  /**
   * Asks the run to stop. A worker that is deep in a computation may not hear it in time; it is then "deaf", and only
   * `reopen`, which ends it and with it the run, helps.
   */
  async stop(run: Promise<unknown>): Promise<"stopped" | "deaf"> {
    void this.call("stop", {}).catch(() => undefined);
    const settled = run.then(
      () => "stopped" as const,
      () => "stopped" as const,
    );
    const patience = new Promise<"deaf">((resolve) => setTimeout(() => resolve("deaf"), STOP_PATIENCE_MS));
    return Promise.race([settled, patience]);
  }

  /** Ends the worker, and with it whatever it was doing. */
  close(): void {
    this.end(STOPPED);
  }

  private giveUp(id: number): void {
    const waiting = this.take(id);
    if (waiting !== undefined) {
      waiting.reject(new EngineError(STOPPED));
      void this.call("abort", { request: id }).catch(() => undefined);
    }
  }

  private end(failure: Failure): void {
    if (this.worker !== null) {
      this.worker.terminate();
      this.listener.ended?.();
    }
    this.worker = null;
    this.failAll(failure);
  }

  private failAll(failure: Failure): void {
    const waiting = [...this.waiting.values()];
    this.waiting.clear();
    for (const call of waiting) {
      call.reject(new EngineError(failure));
    }
  }

  private receive(message: Message): void {
    switch (message.type) {
      case "event":
        return this.listener.event(message.event);
      case "loading":
        return this.listener.loading(message.done, message.total);
      case "notice":
        return this.listener.notice(message.code, message.message);
      case "lost":
        return this.listener.lost?.(message.message);
      case "keeping":
        return this.listener.keeping?.(message.done, message.total);
      case "asked":
        return this.listener.asked?.(message.url);
      case "knock":
        return this.listener.knock?.(message.url, message.body, message.port);
      case "downloaded":
        return this.listener.downloaded?.(message.url, message.bytes);
      case "answer":
        this.take(message.id)?.resolve(message.output);
        return;
      case "failure":
        this.take(message.id)?.reject(new EngineError(message.failure));
    }
  }

  private take(id: number): Waiting | undefined {
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    return waiting;
  }
}
