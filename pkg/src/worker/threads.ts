/**
 * Several threads for the engine on the CPU: helpers, each a worker with an instance of the engine's module over the engine's own
 * memory, that do nothing but pieces of loops over numbers. A page may share memory between threads where it is isolated from
 * other origins (`crossOriginIsolated`); elsewhere the engine runs alone, and computes the same.
 *
 * A helper neither waits for the engine nor is waited for while it sleeps: whoever is awake takes the next piece.
 */

/** Where things stand in the numbers that all threads share. */
const CELLS = 6;

interface Instance extends WebAssembly.Exports {
  __stack_pointer: WebAssembly.Global;
  __wbindgen_malloc(bytes: number, align: number): number;
  seedbed_piece(task: number, piece: number): void;
}

interface Start {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  /** The end of the helper's stack, which grows downwards. */
  stack: number;
  cells: Int32Array;
}

/** The engine's module for the CPU, as `xtask/src/threads.rs` leaves it. */
type CpuModule = typeof import("#engine/cpu");

/** Bytes: a helper's loops hold a few tiles of numbers. */
const STACK = 262_144;
/** The module's own maximum, then what phones can still set aside. */
const MAXIMA = [65_536, 32_768, 16_384];
/** More share the memory's bandwidth only. */
const MOST = 8;

/** How many threads there are to be: as many as cores, of many cores half, for two of them are often one. */
export function wantedThreads(): number {
  const cores = navigator.hardwareConcurrency;
  return crossOriginIsolated ? Math.min(cores <= 4 ? cores : Math.ceil(cores / 2), MOST) : 1;
}

/** Starts the module with so many threads, or as many as can be had; gives how many there are. */
export async function startWithThreads(engine: CpuModule, wanted: number): Promise<number> {
  const memory = wanted > 1 ? sharedMemory(engine.pages) : null;
  if (memory === null) {
    await engine.default();
    return 1;
  }
  const response = await fetch(engine.address);
  if (!response.ok) {
    throw new Error(`the engine could not be fetched (status ${response.status}); reload the page`);
  }
  const module = await WebAssembly.compile(shared(new Uint8Array(await response.arrayBuffer())));
  const instance = (await engine.default({ module_or_path: module, memory })) as Instance;
  const cells = new Int32Array(new SharedArrayBuffer(4 * CELLS));
  const helpers = startHelpers(wanted - 1, (): Start => ({ module, memory, stack: instance.__wbindgen_malloc(STACK, 16) + STACK, cells }));
  engine.use_helpers(spreader(instance, cells), 1 + helpers);
  return 1 + helpers;
}

function sharedMemory(pages: number): WebAssembly.Memory | null {
  for (const maximum of MAXIMA) {
    try {
      return new WebAssembly.Memory({ initial: pages, maximum, shared: true });
    } catch {
      // So much cannot be set aside.
    }
  }
  return null;
}

/** The module with one byte changed: that its memory is shared. */
function shared(module: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  // The import `memory`: its name, that it is a memory, and (1) that it has a maximum; 3 is a maximum and shared.
  const mark = [6, ...new TextEncoder().encode("memory"), 2, 1];
  const place = module.findIndex((_, at) => mark.every((byte, index) => module[at + index] === byte));
  module[place + mark.length - 1] = 3;
  return module;
}

/** Starts helpers; where workers cannot start workers, or may not, there are none. */
function startHelpers(count: number, start: () => Start): number {
  // A blob's worker answers to the rules of this one. What is in it refers to nothing outside itself.
  const address = URL.createObjectURL(new Blob([`(${helper.toString()})(${drain.toString()})`], { type: "text/javascript" }));
  let started = 0;
  try {
    for (; started < count; started++) {
      new Worker(address, { name: `seedbed-helper-${started + 1}` }).postMessage(start());
    }
  } catch {
    // Those that are there help.
  }
  return started;
}

/** What the engine calls with work: it takes part, and comes back once every piece is done. */
function spreader(instance: Instance, cells: Int32Array): (task: number, pieces: number) => void {
  const [ROUND, TASK, LEFT, DONE, ASLEEP, FAILED] = [0, 1, 2, 3, 4, 5];
  const SPINS = 20_000;
  let round = 0;
  return (task, pieces) => {
    round = (round + 1) & 0xf_ffff;
    Atomics.store(cells, TASK, task);
    Atomics.store(cells, DONE, 0);
    // From here on pieces are taken.
    Atomics.store(cells, LEFT, (round << 12) | pieces);
    Atomics.store(cells, ROUND, round);
    if (Atomics.load(cells, ASLEEP) > 0) {
      Atomics.notify(cells, ROUND);
    }
    drain(cells, instance.seedbed_piece);
    for (let spins = 0; ; spins++) {
      const done = Atomics.load(cells, DONE);
      if (done === pieces) {
        break;
      }
      if (spins > SPINS) {
        // A helper was put aside in the middle of a piece.
        Atomics.wait(cells, DONE, done, 1);
      }
    }
    if (Atomics.load(cells, FAILED) === 1) {
      throw new Error("a helper thread failed");
    }
  };
}

/**
 * Takes pieces of the task at hand until there are none. `LEFT` holds the round and how many pieces are left of it, in one number. While
 * some are left the engine does not go on to another task; so whoever reads the task between reading that number and changing it, and
 * finds it unchanged, has a piece of that very task.
 */
function drain(cells: Int32Array, piece: (task: number, piece: number) => void): void {
  const [TASK, LEFT, DONE, FAILED] = [1, 2, 3, 5];
  for (;;) {
    const left = Atomics.load(cells, LEFT);
    const task = Atomics.load(cells, TASK);
    const pieces = left & 0xfff;
    if (pieces === 0) {
      return;
    }
    if (Atomics.compareExchange(cells, LEFT, left, left - 1) !== left) {
      continue;
    }
    try {
      piece(task, pieces - 1);
    } catch {
      Atomics.store(cells, FAILED, 1);
    }
    Atomics.add(cells, DONE, 1);
  }
}

/** All of a helper. */
function helper(drain: (cells: Int32Array, piece: (task: number, piece: number) => void) => void): void {
  const [ROUND, ASLEEP] = [0, 4];
  // About as long as the engine needs between two products.
  const SPINS = 20_000;
  self.onmessage = ({ data }: MessageEvent<Start>) => {
    const { module, memory, stack, cells } = data;
    const imports: WebAssembly.Imports = {};
    for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
      // A piece calls nothing of JavaScript, unless it panics.
      const refuse = () => {
        throw new Error(`a helper thread may not call ${name}`);
      };
      (imports[from] ??= {})[name] = kind === "memory" ? memory : refuse;
    }
    const instance = new WebAssembly.Instance(module, imports).exports as Instance;
    instance.__stack_pointer.value = stack;
    for (;;) {
      const round = Atomics.load(cells, ROUND);
      drain(cells, instance.seedbed_piece);
      let spins = 0;
      while (Atomics.load(cells, ROUND) === round && spins < SPINS) {
        spins++;
      }
      if (spins === SPINS) {
        Atomics.add(cells, ASLEEP, 1);
        Atomics.wait(cells, ROUND, round);
        Atomics.sub(cells, ASLEEP, 1);
      }
    }
  };
}
