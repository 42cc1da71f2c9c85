/** The page's side of its service worker: after the first visit everything works without a network. */
import type { KeepEngine, Kept } from "./service-worker/protocol";

/**
 * Brings the service worker in and hands it the engine to keep. Says whether all is there now; where the browser has no
 * service workers, refuses storage, or the visitor saves data, the page works as before.
 */
export async function keepForOffline(engine: KeepEngine["keep"]): Promise<boolean> {
  // The development server has no built files to keep.
  if (!import.meta.env.PROD || !("serviceWorker" in navigator) || savesData()) {
    return false;
  }
  try {
    await navigator.serviceWorker.register(new URL("sw.js", document.baseURI), { updateViaCache: "none" });
    const { active } = await navigator.serviceWorker.ready;
    return active !== null && (await ask(active, { keep: engine }));
  } catch {
    return false;
  }
}

function ask(worker: ServiceWorker, request: KeepEngine): Promise<boolean> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = (message: MessageEvent<Kept>) => {
      port1.close();
      resolve(message.data.kept);
    };
    worker.postMessage(request, [port2]);
  });
}

function savesData(): boolean {
  return (navigator as { connection?: { saveData?: boolean } }).connection?.saveData === true;
}
