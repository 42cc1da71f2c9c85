/**
 * Lets the page work without a network after the first visit. It answers for the page's own files and for nothing else, and
 * asks no other origin for anything: that is checked here, as the page's Content-Security-Policy does not reach it. A
 * request of the page to any other origin than the model hub's is refused a second time here.
 */
import { isHub } from "../boundary/policy";
import type { KeepEngine, Kept } from "./protocol";

const worker = self as unknown as ServiceWorkerGlobalScope;

const PREFIX = "seedbed-";
const CACHE = PREFIX + SEEDBED_BUILD.version;

/** Remembers in a cache which engines it holds, so that the next version brings the same. */
const MARK = "./kept-engine/";

/** A network that gives no answer for so long counts as none, where there is a copy. */
const PATIENCE_MS = 5000;

type EngineName = KeepEngine["keep"];

worker.addEventListener("install", (event) => event.waitUntil(install()));
worker.addEventListener("activate", (event) => event.waitUntil(activate()));
worker.addEventListener("message", (event) => event.waitUntil(answer(event)));
worker.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== worker.location.origin && !isHub(url) && ["http:", "https:"].includes(url.protocol)) {
    event.respondWith(Response.error());
    return;
  }
  if (request.method !== "GET" || url.origin !== worker.location.origin || request.headers.has("range")) {
    return;
  }
  if (request.mode === "navigate") {
    event.respondWith(networkFirst(request, isDocument(url.href) ? url.href : address("")).then(isolated));
  } else if (isHashed(url.href)) {
    event.respondWith(cacheFirst(request, false));
  } else if (url.href.startsWith(address("models/")) && !SEEDBED_BUILD.model.some((file) => address(file) === url.href)) {
    // A model of the page's host that is no part of what every visitor keeps.
    event.respondWith(cacheFirst(request, true));
  } else {
    event.respondWith(networkFirst(request, url.href));
  }
});

async function install(): Promise<void> {
  await fill(SEEDBED_BUILD.page);
  // What older versions had for use without a network, this one has before it takes over.
  for (const engine of await markedEngines()) {
    await keepEngine(engine);
  }
}

/** Runs once no tab of the older version is open any more. */
async function activate(): Promise<void> {
  for (const name of await caches.keys()) {
    if (name.startsWith(PREFIX) && name !== CACHE) {
      await caches.delete(name);
    }
  }
  await worker.clients.claim();
}

async function answer(event: ExtendableMessageEvent): Promise<void> {
  const { keep } = event.data as KeepEngine;
  const kept = await keepEngine(keep).then(
    () => true,
    () => false,
  );
  event.ports[0]?.postMessage({ kept } satisfies Kept);
}

async function keepEngine(engine: EngineName): Promise<void> {
  await fill([...SEEDBED_BUILD.engines[engine], ...SEEDBED_BUILD.model]);
  const cache = await caches.open(CACHE);
  await cache.put(address(MARK + engine), new Response(""));
}

async function markedEngines(): Promise<EngineName[]> {
  const marked: EngineName[] = [];
  for (const engine of ["cpu", "webgpu"] as const) {
    if ((await caches.match(address(MARK + engine))) !== undefined) {
      marked.push(engine);
    }
  }
  return marked;
}

/** Puts the files that are not there yet into this version's cache; all or an error. */
async function fill(files: readonly string[]): Promise<void> {
  const cache = await caches.open(CACHE);
  for (const file of files) {
    const url = address(file);
    if ((await cache.match(url)) !== undefined) {
      continue;
    }
    // A name with a hash stands for one content, so that an older version's copy is as good.
    const copy = isHashed(url) ? await caches.match(url) : undefined;
    const response = copy ?? (await fetchOwn(new Request(url, { cache: isHashed(url) ? "default" : "no-cache" })));
    if (!response.ok) {
      throw new Error(`${url}: status ${response.status}`);
    }
    await cache.put(url, response);
  }
}

/** The copy, where there is one; else the network's answer, which `keep` keeps from then on. */
async function cacheFirst(request: Request, keep: boolean): Promise<Response> {
  const cache = await caches.open(CACHE);
  const copy = await cache.match(request.url);
  if (copy !== undefined) {
    return copy;
  }
  const response = await fetchOwn(request);
  if (keep && response.ok) {
    // It is used all the same where there is no room to keep it.
    const kept = cache.put(request.url, response.clone());
    kept.catch(() => undefined);
  }
  return response;
}

/** The network's answer; the kept copy where there is no network, or none that answers in time. */
async function networkFirst(request: Request, url: string): Promise<Response> {
  const copy = await (await caches.open(CACHE)).match(url);
  if (copy === undefined) {
    return fetchOwn(request);
  }
  const patience = new Promise<Response>((resolve) => setTimeout(() => resolve(copy), PATIENCE_MS));
  return Promise.race([fetchOwn(request).catch(() => copy), patience]);
}

/**
 * A document that may share memory between threads, though its host sends no headers for that. `credentialless` is all that is needed,
 * for nothing of other origins is shown; a browser that does not know it leaves the page as it is, with one thread.
 */
function isolated(response: Response): Response {
  if (!response.ok || response.headers.has("cross-origin-embedder-policy")) {
    return response;
  }
  const headers = new Headers(response.headers);
  headers.set("cross-origin-opener-policy", "same-origin");
  headers.set("cross-origin-embedder-policy", "credentialless");
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

function address(file: string): string {
  return new URL(file, worker.registration.scope).href;
}

/** The door is a document of its own, which the page must never stand in for. */
function isDocument(url: string): boolean {
  return url === address("door.html");
}

/** Fetches of this worker's own, which no policy holds, go to its own origin or fail. */
function fetchOwn(request: Request): Promise<Response> {
  return new URL(request.url).origin === worker.location.origin ? fetch(request) : Promise.reject(new TypeError(`${request.url} is foreign`));
}

/** Vite puts what it names by content under `assets/`. */
function isHashed(url: string): boolean {
  return url.startsWith(address("assets/"));
}
