/** A server of the test's own before the real one, which can be taken away, or be another kind of host. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

interface Change {
  /** What becomes of the service worker. */
  script?: (script: string) => string;
  /** Headers that this host does not send. */
  without?: readonly string[];
}

/** Passes everything on to the real server, until it is closed. */
export async function relay(to: string, { script = (same) => same, without = [] }: Change): Promise<{ server: Server; url: string }> {
  const left = ["content-length", "connection", "transfer-encoding", ...without];
  const server = createServer((request, response) => {
    void (async () => {
      const answer = await fetch(new URL(request.url ?? "/", to), { headers: { "accept-encoding": "identity" } });
      const body = Buffer.from(await answer.arrayBuffer());
      const isWorker = request.url?.startsWith("/sw.js") === true;
      response.writeHead(answer.status, Object.fromEntries([...answer.headers].filter(([name]) => !left.includes(name))));
      response.end(isWorker ? script(body.toString()) : body);
    })().catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

export async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
