/** Writes the policies into the documents, and makes the door one document of its own that needs no other file. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Plugin, transformWithOxc } from "vite";
import { doorPolicy, PAGE_POLICY } from "./src/boundary/policy.ts";

const file = (name: string) => fileURLToPath(new URL(`./src/door/${name}`, import.meta.url));

export function policies(): Plugin {
  return {
    name: "seedbed-policies",
    transformIndexHtml: (html) => html.replace("%PAGE_POLICY%", PAGE_POLICY),
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        if (request.url?.split("?")[0] !== "/door.html") {
          return next();
        }
        void door().then((html) => response.setHeader("Content-Type", "text/html").end(html), next);
      });
    },
    async generateBundle() {
      for (const name of ["door.html", "door.css", "door.ts"]) {
        this.addWatchFile(file(name));
      }
      this.emitFile({ type: "asset", fileName: "door.html", source: await door() });
    },
  };
}

/** In a sandbox `'self'` is nobody, so the door's script and style stand in it, named by their hashes. */
async function door(): Promise<string> {
  const source = readFileSync(file("door.ts"), "utf8");
  const { code } = await transformWithOxc(source, "door.ts", { sourcemap: false });
  const style = readFileSync(file("door.css"), "utf8");
  const parts: Record<string, string> = { POLICY: doorPolicy(hash(code), hash(style)), STYLE: style, SCRIPT: code };
  return readFileSync(file("door.html"), "utf8").replace(/%(POLICY|STYLE|SCRIPT)%/g, (_, name: string) => parts[name] ?? "");
}

function hash(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}
