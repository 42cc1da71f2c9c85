/**
 * Makes `dist/` of the npm package: `index.js`, `worker.js`, both engines, the bundled model, the types. Called by
 * `cargo xtask package`, once `www/wasm` is built. The tools are those of the page (`www/node_modules`).
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const www = join(here, "../www");
const dist = join(here, "dist");
const engine = (build) => join(www, `wasm/${build}/seedbed.js`);
const ENGINES = ["cpu", "gpu"];
const MODEL = "models/seedbed-3m";
const MODEL_FILES = ["config.json", "tokenizer.json", "model.safetensors", "README.md"];

const tools = createRequire(join(www, "package.json"));
// Vite's own bundler, which comes with it.
const { rolldown } = await import(pathToFileURL(createRequire(tools.resolve("vite/package.json")).resolve("rolldown")).href);

/** Each engine's wasm goes by the engine's name, and bundlers find it by an address of exactly this form. */
const engines = {
  name: "engines",
  transform(code, id) {
    const build = ENGINES.find((name) => id === engine(name));
    if (build === undefined) {
      return null;
    }
    const address = /new URL\((['"])seedbed_bg\.wasm\1, import\.meta\.url\)/;
    if (!address.test(code)) {
      throw new Error(`${id} does not say where its wasm is in the way known: look at what wasm-bindgen writes now`);
    }
    return code.replace(address, `new URL("./engines/${build}.wasm", import.meta.url)`);
  },
};

async function bundle(input, name) {
  const build = await rolldown({
    input,
    resolve: { alias: { ...Object.fromEntries(ENGINES.map((build) => [`#engine/${build}`, engine(build)])), "@noble/hashes": join(www, "node_modules/@noble/hashes") } },
    plugins: [engines],
  });
  // One file each: a worker in several does not pass through Vite as it comes.
  await build.write({ dir: dist, entryFileNames: name, format: "esm", codeSplitting: false });
  await build.close();
}

rmSync(dist, { recursive: true, force: true });
await bundle(join(here, "src/index.ts"), "index.js");
await bundle(join(here, "src/worker/worker.ts"), "worker.js");

mkdirSync(join(dist, "engines"), { recursive: true });
for (const build of ENGINES) {
  copyFileSync(join(dirname(engine(build)), "seedbed_bg.wasm"), join(dist, `engines/${build}.wasm`));
}
mkdirSync(join(dist, MODEL), { recursive: true });
for (const file of MODEL_FILES) {
  copyFileSync(join(here, "..", MODEL, file), join(dist, MODEL, basename(file)));
}
copyFileSync(join(here, "../LICENSE"), join(here, "LICENSE"));

execFileSync(process.execPath, [join(dirname(tools.resolve("typescript/package.json")), "bin/tsc"), "-p", join(here, "tsconfig.types.json")], { stdio: "inherit" });
// Node's own way to resolve modules, which some projects are set to, wants whole names.
for (const file of readdirSync(join(dist, "types"), { recursive: true, withFileTypes: true })) {
  if (file.isFile()) {
    const path = join(file.parentPath, file.name);
    writeFileSync(path, readFileSync(path, "utf8").replace(/((?:from|import\() ?")(\.\.?\/[^"]+?)(?:\.js)?(?=")/g, "$1$2.js"));
  }
}
