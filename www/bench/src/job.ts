/** What the driver asks of a page, and what it gets: the same object that `seedbed bench --json` prints. */

export interface Job {
  /** Name of the model's folder. */
  model: string;
  /** Address of the folder that holds it, with the files of its kind. */
  base: string;
  /** `cpu`, `wasm` or `webgpu`, as the system calls it. */
  device: string;
  /** A system's own choice, such as a data type. */
  variant?: string | null;
  /** Measures to take, by name. */
  measures: string[];
  warmup: number;
  samples: number;
  budget_ms: number;
  threads: number;
}

export interface Pass {
  ms: number;
  work: number;
  tokens: number;
  loss: number | null;
}

export interface Counters {
  dispatches_per_token: number | null;
  /** Bytes handed to the GPU's buffers by `writeBuffer`. */
  uploaded_bytes_per_token: number | null;
  /** Bytes mapped for reading. */
  read_bytes_per_token: number | null;
  /** Bytes that kernels read and wrote: only the engine itself could tell. */
  bytes_per_token: number | null;
  /** Most bytes of buffers that were made and not destroyed. */
  peak_bytes: number | null;
}

export interface Measured {
  warmup: number;
  passes: Pass[];
  counters: Counters | null;
  error?: string;
}

export interface Outcome {
  device: string;
  device_name: string | null;
  model: string;
  /** What a reader needs to know of the set-up, such as threads that were really used. */
  set_up: Record<string, unknown>;
  measures: Record<string, Measured>;
  error?: string;
}

declare global {
  var benchOutcome: Outcome | undefined;
  /** What there is so far, for a page that is not done in time. */
  var benchSoFar: Outcome | undefined;
}

/** The driver puts the job into the address. */
export function theJob(): Job {
  return JSON.parse(new URL(location.href).searchParams.get("job") ?? "{}") as Job;
}

/** Runs a page's work and leaves what came of it where the driver looks. An error is an outcome too. */
export async function answer(work: (job: Job, outcome: Outcome) => Promise<void>): Promise<void> {
  const job = theJob();
  const outcome: Outcome = { device: job.device, device_name: null, model: job.model, set_up: {}, measures: {} };
  globalThis.benchSoFar = outcome;
  try {
    await work(job, outcome);
  } catch (thrown) {
    outcome.error = words(thrown);
  }
  globalThis.benchOutcome = outcome;
}

export function words(thrown: unknown): string {
  return (thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown)).slice(0, 600);
}
