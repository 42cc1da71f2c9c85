import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

/** The wasm builds that `cargo xtask` puts under `wasm/`: one for the CPU, one for WebGPU. */
const engine = (build: "cpu" | "gpu") =>
  fileURLToPath(new URL(`./wasm/${build}/seedbed.js`, import.meta.url));

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  // Every address is relative, so that the built folder works under any path.
  base: "./",
  resolve: { alias: { "#engine/cpu": engine("cpu"), "#engine/gpu": engine("gpu") } },
  // ES modules in the worker, so that the engine that is not needed is never fetched.
  worker: { format: "es" },
  build: {
    target: "es2022",
    // A data: URL would be refused by the page's Content-Security-Policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
