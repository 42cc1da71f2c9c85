/** A server for a test's own files. */
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";

const TYPES: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm" };

export interface Served {
  /** With a slash at its end. */
  address: string;
  close(): void;
}

/** Serves folders under their paths, the first that fits, and nothing else. */
export async function serve(folders: Record<string, string>): Promise<Served> {
  const server: Server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://x").pathname;
    const [prefix, folder] = Object.entries(folders).find(([prefix]) => path.startsWith(prefix)) ?? ["/", ""];
    const file = path.slice(prefix.length);
    try {
      const body = readFileSync(join(folder, file === "" ? "index.html" : file));
      const type = TYPES[extname(file) || ".html"] ?? "application/octet-stream";
      response.writeHead(200, { "content-type": type, "content-length": body.byteLength }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, close: () => server.close() };
}
