/**
 * Counts what a system asks of WebGPU, from outside, so that it is the same count for every system. To be called before
 * the system opens its device, in the thread that owns it.
 */
import type { Counters, Pass } from "./job";

interface Totals {
  dispatches: number;
  uploaded: number;
  read: number;
  held: number;
  peak: number;
}

/** `GPUMapMode.READ`, which TypeScript's own types lack. */
const MAP_READ = 1;

/** Null where there is no WebGPU. */
export function countGpu(): GpuCounter | null {
  if (typeof GPUDevice === "undefined") {
    return null;
  }
  const totals: Totals = { dispatches: 0, uploaded: 0, read: 0, held: 0, peak: 0 };
  const collected = new FinalizationRegistry((size: number) => (totals.held -= size));

  before(GPUComputePassEncoder.prototype, "dispatchWorkgroups", () => (totals.dispatches += 1));
  before(GPUComputePassEncoder.prototype, "dispatchWorkgroupsIndirect", () => (totals.dispatches += 1));
  before(GPUQueue.prototype, "writeBuffer", (_, [, , data, offset, size]) => {
    const width = (data as Partial<Uint8Array>).BYTES_PER_ELEMENT ?? 1;
    const whole = (data as ArrayBufferView).byteLength - ((offset as number | undefined) ?? 0) * width;
    totals.uploaded += size === undefined ? whole : (size as number) * width;
  });
  before(GPUBuffer.prototype, "mapAsync", (buffer, [mode, offset, size]) => {
    if (((mode as number) & MAP_READ) !== 0) {
      const rest = (buffer as GPUBuffer).size - ((offset as number | undefined) ?? 0);
      totals.read += (size as number | undefined) ?? rest;
    }
  });
  const create = GPUDevice.prototype.createBuffer;
  GPUDevice.prototype.createBuffer = function (descriptor) {
    const buffer = create.call(this, descriptor);
    totals.held += buffer.size;
    totals.peak = Math.max(totals.peak, totals.held);
    collected.register(buffer, buffer.size, buffer);
    return buffer;
  };
  before(GPUBuffer.prototype, "destroy", (buffer) => {
    // False when it was destroyed before.
    if (collected.unregister(buffer as GPUBuffer)) {
      totals.held -= (buffer as GPUBuffer).size;
    }
  });
  return new GpuCounter(totals);
}

type Call = (target: unknown, inputs: unknown[]) => void;

function before(prototype: object, name: string, note: Call): void {
  const methods = prototype as Record<string, (...inputs: unknown[]) => unknown>;
  const method = methods[name];
  if (method !== undefined) {
    methods[name] = function (this: unknown, ...inputs: unknown[]) {
      note(this, inputs);
      return method.apply(this, inputs);
    };
  }
}

export class GpuCounter {
  private start: Totals;

  constructor(private readonly totals: Totals) {
    this.start = { ...totals };
  }

  /** From here on. */
  reset(): void {
    this.totals.peak = this.totals.held;
    this.start = { ...this.totals };
  }

  /** Since the last reset; null when the GPU was not used. */
  perToken(passes: readonly Pass[]): Counters | null {
    const all = passes.reduce((sum, pass) => sum + pass.tokens, 0);
    const each = (now: number, then: number) => (all === 0 ? null : (now - then) / all);
    const { dispatches, uploaded, read, peak } = this.totals;
    if (dispatches === 0 && peak === 0) {
      return null;
    }
    return {
      dispatches_per_token: each(dispatches, this.start.dispatches),
      uploaded_bytes_per_token: each(uploaded, this.start.uploaded),
      read_bytes_per_token: each(read, this.start.read),
      bytes_per_token: null,
      peak_bytes: peak,
    };
  }
}
