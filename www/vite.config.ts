import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { policies } from "./policy-plugin.ts";
import { knobs } from "./knobs-plugin.ts";
import { offline } from "./offline-plugin.ts";

/** The wasm builds that `cargo xtask` puts under `wasm/`: one for the CPU, one for WebGPU. */
const engine = (build: "cpu" | "gpu") =>
  fileURLToPath(new URL(`./wasm/${build}/seedbed.js`, import.meta.url));

/** The page is built on the package of `pkg/`: its worker, the language they speak, the events of a run. */
const packageSources = fileURLToPath(new URL("../pkg/src", import.meta.url));
/** The package's one dependency lies with the page's tools, since both are bundled by them. */
const hashes = fileURLToPath(new URL("./node_modules/@noble/hashes", import.meta.url));

/** Each wasm module goes by the name of its build, so that the service worker can tell them apart. */
const assetFileNames = ({ originalFileNames }: { originalFileNames: string[] }) => {
  const build = originalFileNames.map((name) => /wasm\/(cpu|gpu)\//.exec(name)?.[1]).find((found) => found !== undefined);
  return `assets/${build ?? "[name]"}-[hash][extname]`;
};

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  // Every address is relative, so that the built folder works under any path.
  base: "./",
  resolve: { alias: { "#engine/cpu": engine("cpu"), "#engine/gpu": engine("gpu"), "#seedbed": packageSources, "@noble/hashes": hashes } },
  // ES modules in the worker, so that the engine that is not needed is never fetched.
  worker: { format: "es", rolldownOptions: { output: { assetFileNames } } },
  plugins: [policies(), knobs(), offline()],
  build: {
    target: "es2022",
    // A data: URL would be refused by the page's Content-Security-Policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      input: {
        main: fileURLToPath(new URL("./index.html", import.meta.url)),
        sw: fileURLToPath(new URL("./src/service-worker/sw.ts", import.meta.url)),
      },
      output: {
        assetFileNames,
        // The service worker stands beside the page, since it may only answer for what lies below it.
        entryFileNames: ({ name }) => (name === "sw" ? "sw.js" : "assets/[name]-[hash].js"),
      },
    },
  },
});
