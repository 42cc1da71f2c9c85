/** Decides which of the two engines is fetched: the WebGPU one only when an adapter answers. */
import type { DeviceChoice } from "../protocol";
import { toFailure } from "./failure";
import { startWithThreads, wantedThreads } from "./threads";

export interface Opened {
  engine: SeedbedEngine;
  /** Threads that compute; one where a GPU does. */
  threads: number;
  notice: string | null;
}

/** How long an adapter may take to answer before the page goes on without it. */
const ADAPTER_PATIENCE_MS = 10_000;

/** `threads`: at most so many on the CPU. */
export async function openEngine(choice: DeviceChoice, threads = Infinity): Promise<Opened> {
  const openCpu = (notice: string | null) => openOnCpu(threads, notice);
  if (choice === "cpu") {
    return openCpu(null);
  }
  const adapter = await answeringAdapter();
  if (adapter === null) {
    const notice =
      "This browser offers no WebGPU, so the model runs on the CPU. It does the same, only slower; a recent Chrome, Edge or Safari with a graphics card is faster.";
    return openCpu(notice);
  }
  if (choice === "auto" && isSoftware(adapter)) {
    const notice =
      "This browser's WebGPU is played by the CPU, so the model runs on the CPU directly, which is much faster. A graphics card is faster still.";
    return openCpu(notice);
  }
  try {
    const module = await import("#engine/gpu");
    await module.default();
    const engine = await module.Engine.open();
    return { engine, threads: 1, notice: engine.notice === undefined ? null : sentence(engine.notice) };
  } catch (thrown) {
    const notice = `WebGPU did not start (${toFailure(thrown).message}), so the model runs on the CPU.`;
    return openCpu(notice);
  }
}

function sentence(words: string): string {
  const text = words.charAt(0).toUpperCase() + words.slice(1);
  return text.endsWith(".") ? text : `${text}.`;
}

async function openOnCpu(most: number, notice: string | null): Promise<Opened> {
  const module = await import("#engine/cpu");
  const threads = await startWithThreads(module, Math.min(most, wantedThreads()));
  return { engine: await module.Engine.open(), threads, notice };
}

async function answeringAdapter(): Promise<GPUAdapter | null> {
  // `navigator.gpu` is typed as always there; in a browser without WebGPU it is not.
  const gpu = (navigator as { gpu?: GPU }).gpu;
  if (gpu === undefined) {
    return null;
  }
  const patience = new Promise<null>((resolve) => setTimeout(() => resolve(null), ADAPTER_PATIENCE_MS));
  return Promise.race([gpu.requestAdapter().catch(() => null), patience]);
}

/** Whether an adapter is no graphics card but a program on the CPU. */
function isSoftware(adapter: GPUAdapter): boolean {
  const { architecture, description, device, isFallbackAdapter } = adapter.info;
  return isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|software/i.test(`${architecture} ${description} ${device}`);
}
