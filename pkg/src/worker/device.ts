/** Decides which of the two engines is fetched: the WebGPU one only when an adapter answers. */
import type { DeviceChoice } from "../protocol";
import { toFailure } from "./failure";

export interface Opened {
  engine: SeedbedEngine;
  notice: string | null;
}

/** How long an adapter may take to answer before the page goes on without it. */
const ADAPTER_PATIENCE_MS = 10_000;

export async function openEngine(choice: DeviceChoice): Promise<Opened> {
  if (choice === "cpu") {
    return { engine: await openCpu(), notice: null };
  }
  const adapter = await answeringAdapter();
  if (adapter === null) {
    const notice =
      "This browser offers no WebGPU, so the model runs on the CPU. It does the same, only slower; a recent Chrome, Edge or Safari with a graphics card is faster.";
    return { engine: await openCpu(), notice };
  }
  if (choice === "auto" && isSoftware(adapter)) {
    const notice =
      "This browser's WebGPU is played by the CPU, so the model runs on the CPU directly, which is much faster. A graphics card is faster still.";
    return { engine: await openCpu(), notice };
  }
  try {
    const module = await import("#engine/gpu");
    await module.default();
    const engine = await module.Engine.open();
    return { engine, notice: engine.notice === undefined ? null : sentence(engine.notice) };
  } catch (thrown) {
    const notice = `WebGPU did not start (${toFailure(thrown).message}), so the model runs on the CPU.`;
    return { engine: await openCpu(), notice };
  }
}

function sentence(words: string): string {
  const text = words.charAt(0).toUpperCase() + words.slice(1);
  return text.endsWith(".") ? text : `${text}.`;
}

async function openCpu(): Promise<SeedbedEngine> {
  const module = await import("#engine/cpu");
  await module.default();
  return module.Engine.open();
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
