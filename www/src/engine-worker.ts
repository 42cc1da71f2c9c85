/** The page's own way to start the package's worker. */
import workerUrl from "#seedbed/worker/worker.ts?worker&url";

/**
 * A worker loaded from a network address answers to the rules of that response, not to the page's. One started from a
 * blob inherits the page's Content-Security-Policy, so that the worker too can reach nothing but the page's own origin.
 */
export function startWorker(): Worker {
  const address = new URL(workerUrl, document.baseURI).href;
  const blob = URL.createObjectURL(new Blob([`import ${JSON.stringify(address)};`], { type: "text/javascript" }));
  const worker = new Worker(blob, { type: "module", name: "seedbed-engine" });
  // The address must live until the worker has read it, which its first message or error shows.
  const forget = () => URL.revokeObjectURL(blob);
  worker.addEventListener("message", forget, { once: true });
  worker.addEventListener("error", forget, { once: true });
  return worker;
}
