/**
 * The door: the one document that may ask a teacher. It lies in a sandbox without an origin, so it has no storage and cannot
 * read the page; it is handed the body of a request and nothing else; and it reaches one host, because it narrows its own
 * policy to that host before it listens. The key is typed in here and never leaves but in the header `Authorization`.
 *
 * This file stands in the document as it is, so it imports types only.
 */
import type { AskDoor, CloseAnswer, DoorAnswer, DoorReady, OpenDoor } from "#seedbed/door-protocol";

/** No request comes near this: a brief has 2400 bytes at most, and what stands around it is fixed. */
const MOST_BYTES = 20_000;

const key = document.getElementById("key") as HTMLInputElement;
const where = document.getElementById("where") as HTMLParagraphElement;
const own = new URL(location.href).origin;
let opened = false;

if (self.origin !== "null") {
  // Not in the sandbox: whoever framed this could reach into it, so that it closes itself.
  narrow("'none'");
} else {
  addEventListener("message", (message: MessageEvent<OpenDoor>) => {
    const port = message.ports[0];
    if (message.source === parent && message.origin === own && port !== undefined && !opened) {
      opened = true;
      open(message.data.endpoint, port);
    }
  });
}

function open(address: string, port: MessagePort): void {
  const endpoint = new URL(address);
  narrow(endpoint.origin);
  where.textContent = `Stays in this box, in memory. It is sent to ${endpoint.origin} alone, with the brief.`;
  port.onmessage = (message: MessageEvent<AskDoor>) => {
    const answer = message.ports[0];
    if (answer !== undefined) {
      void ask(endpoint, message.data.body, answer);
    }
  };
  port.postMessage({ ready: true } satisfies DoorReady);
}

/** A second policy holds beside the first, so it can only take away. */
function narrow(source: string): void {
  const meta = document.createElement("meta");
  meta.httpEquiv = "Content-Security-Policy";
  meta.content = `connect-src ${source}`;
  document.head.append(meta);
}

async function ask(endpoint: URL, body: string, port: MessagePort): Promise<void> {
  const abort = new AbortController();
  port.onmessage = (message: MessageEvent<CloseAnswer>) => {
    if (message.data.close) {
      abort.abort();
      port.close();
    }
  };
  const say = (answer: DoorAnswer) => port.postMessage(answer, answer.type === "bytes" ? [answer.bytes.buffer] : []);
  const fail = (name: "cors" | "network" | "key" | "declined", message: string, probed = false) =>
    say({ type: "failed", name, message, probed });
  if (!isRequest(body)) {
    return fail("declined", "this is no brief");
  }
  const secret = key.value.trim();
  if (!/^[\x21-\x7e]*$/.test(secret)) {
    return fail("key", "the key holds characters that no key has");
  }
  const headers = new Headers({ "Content-Type": "application/json" });
  if (secret !== "") {
    headers.set("Authorization", `Bearer ${secret}`);
  }
  let response: Response;
  try {
    response = await fetch(endpoint, {
      method: "POST",
      headers,
      body,
      signal: abort.signal,
      credentials: "omit",
      referrerPolicy: "no-referrer",
      cache: "no-store",
      // A redirect would carry the brief to a place nobody has consented to.
      redirect: "manual",
    });
  } catch {
    if (!abort.signal.aborted) {
      await explain(endpoint, fail);
    }
    return;
  }
  say({ type: "head", status: response.type === "opaqueredirect" ? 307 : response.status, retryAfter: response.headers.get("retry-after") });
  if (!response.ok || response.body === null) {
    void response.body?.cancel();
    return say({ type: "end" });
  }
  try {
    const reader = response.body.getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      // A copy of its own, which can be handed over.
      say({ type: "bytes", bytes: new Uint8Array(read.value) });
    }
    say({ type: "end" });
  } catch {
    if (!abort.signal.aborted) {
      fail("network", "the connection broke off");
    }
  }
}

/** A browser does not say whether nobody answered or a page may not ask; a request whose answer cannot be read tells. */
async function explain(endpoint: URL, fail: (name: "cors" | "network", message: string, probed: boolean) => void): Promise<void> {
  if (!navigator.onLine) {
    return fail("network", "this device has no network", false);
  }
  try {
    await fetch(endpoint, { mode: "no-cors", credentials: "omit", referrerPolicy: "no-referrer", cache: "no-store" });
    fail("cors", "the server does not let pages ask", true);
  } catch {
    fail("network", "nobody answers there", true);
  }
}

/** Whether a body has the shape of the engine's requests, so that little else could be put through here. */
function isRequest(body: string): boolean {
  if (typeof body !== "string" || body.length > MOST_BYTES) {
    return false;
  }
  try {
    const request = JSON.parse(body) as Record<string, unknown>;
    const known = ["model", "stream", "messages", "temperature", "stream_options", "response_format"];
    const messages = request["messages"];
    return (
      Object.keys(request).every((name) => known.includes(name)) &&
      Array.isArray(messages) &&
      messages.map((message: { role?: unknown }) => message.role).join(" ") === "system user"
    );
  } catch {
    return false;
  }
}
