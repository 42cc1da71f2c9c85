import { copyFileSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";

/**
 * The benches' own pages; nothing of them is in the product's `dist`. `vite build` makes the page of Seedbed's engine,
 * `vite build --mode peers` those of the other systems, which need `npm ci` in this folder. `BENCH_OUT` says where to.
 */
const here = fileURLToPath(new URL(".", import.meta.url));
const engine = (build: "cpu" | "gpu") => join(here, `../wasm/${build}/seedbed.js`);

const PEERS = ["transformersjs", "wllama", "jaxjs", "tfjs"];

/** The wasm of the peers, which their code asks for by name and not by import. */
const PEER_WASM: [string, RegExp][] = [
  ["onnxruntime-web/dist", /^ort-wasm-simd-threaded(\.asyncify)?\.(wasm|mjs)$/],
  ["@tensorflow/tfjs-backend-wasm/dist", /\.wasm$/],
  ["@wllama/wllama/esm/wasm", /\.wasm$/],
];

function copyPeerWasm(out: string): Plugin {
  return {
    name: "copy-peer-wasm",
    closeBundle() {
      const to = join(out, "wasm");
      mkdirSync(to, { recursive: true });
      for (const [folder, wanted] of PEER_WASM) {
        const from = join(here, "node_modules", folder);
        for (const file of readdirSync(from).filter((name) => wanted.test(name))) {
          copyFileSync(join(from, file), join(to, file));
        }
      }
    },
  };
}

export default defineConfig(({ mode }) => {
  const peers = mode === "peers";
  const outDir = process.env["BENCH_OUT"] ?? join(here, "dist", peers ? "peers" : "seedbed");
  return {
    root: here,
    base: "./",
    resolve: { alias: { "#engine/cpu": engine("cpu"), "#engine/gpu": engine("gpu"), "#seedbed": join(here, "../../pkg/src") } },
    worker: { format: "es" },
    // Two of the peers read Node's names.
    define: { global: "globalThis", "process.env.NODE_ENV": '"production"' },
    plugins: peers ? [copyPeerWasm(outDir)] : [],
    build: {
      target: "es2022",
      // TensorFlow.js hands its workers the text of its own functions, which must keep their names.
      minify: !peers,
      outDir,
      emptyOutDir: true,
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
      chunkSizeWarningLimit: 10_000,
      rolldownOptions: {
        input: peers ? PEERS.map((name) => join(here, `peers/${name}.html`)) : [join(here, "index.html")],
      },
    },
  };
});
