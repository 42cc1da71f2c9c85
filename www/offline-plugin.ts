/** Tells the service worker the files of the build it belongs to, and their version. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import type { Plugin } from "vite";
import { BUNDLED_MODEL } from "../pkg/src/models/bundled.ts";

const WORKER = "sw.js";

export function offline(): Plugin {
  let folder = "";
  const engines: Record<"cpu" | "webgpu", string[]> = { cpu: [], webgpu: [] };
  return {
    name: "seedbed-offline",
    apply: "build",
    configResolved(config) {
      folder = join(config.root, config.build.outDir);
    },
    closeBundle() {
      const all = filesOf(folder).filter((file) => file !== WORKER).sort();
      const content = new Map(all.map((file) => [file, readFileSync(join(folder, file))]));
      const hash = createHash("sha256").update(readFileSync(join(folder, WORKER)));
      for (const [file, bytes] of content) {
        hash.update(`${file}\0${bytes.length}\0`).update(bytes);
      }
      engines.cpu = engineFiles(all, "cpu");
      engines.webgpu = engineFiles(all, "gpu");
      const set = new Set([...engines.cpu, ...engines.webgpu]);
      const isModel = (file: string) => file.startsWith("models/");
      const build = {
        version: hash.digest("hex").slice(0, 16),
        // The page itself goes by its folder: some servers send `index.html` there.
        page: ["", ...all.filter((file) => !set.has(file) && !isModel(file) && file !== "index.html")],
        // A larger one that comes with the page is kept once it was used.
        model: all.filter((file) => file.startsWith(`models/${BUNDLED_MODEL}/`)),
        engines,
      };
      const worker = join(folder, WORKER);
      writeFileSync(worker, `const SEEDBED_BUILD=${JSON.stringify(build)};${readFileSync(worker, "utf8")}`);
    },
  };
}

function engineFiles(files: readonly string[], name: string): string[] {
  return files.filter((file) => file.endsWith(".wasm") && file.startsWith(`assets/${name}-`));
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join("/"));
}
