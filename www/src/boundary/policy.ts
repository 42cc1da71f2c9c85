/**
 * What page, worker and door may reach, in one file. `policy-plugin.ts` writes these policies into the documents as
 * `<meta>`, so that they hold on a host that sends no headers. The service worker reads the hub's hosts here, and so does
 * whoever fetches a model.
 */

/** The model hub, and where its files lie. */
export const HUB_HOSTS: readonly string[] = ["https://huggingface.co", "https://*.hf.co"];

/** Whether an address is the hub's. */
export function isHub(url: URL): boolean {
  return HUB_HOSTS.some((source) => {
    const [scheme = "", host = ""] = source.split("://");
    const fits = host.startsWith("*.") ? url.hostname.endsWith(host.slice(1)) : url.hostname === host;
    return fits && url.protocol === `${scheme}:` && url.port === "";
  });
}

/** The page's, which its worker inherits, being started from a blob: everything is closed but what is named. */
export const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "font-src 'self'",
  `connect-src 'self' ${HUB_HOSTS.join(" ")}`,
  "worker-src 'self' blob:",
  // Narrowed to the door itself as soon as the page knows its own address (`narrow.ts`).
  "frame-src 'self'",
  "manifest-src 'self'",
  "form-action 'none'",
  "base-uri 'none'",
].join("; ");

/** The door's: its own few lines, and teachers. It narrows itself to the one that was chosen before it hears anything. */
export function doorPolicy(script: string, style: string): string {
  return [
    "default-src 'none'",
    `script-src '${script}'`,
    `style-src '${style}'`,
    "connect-src https: http://127.0.0.1:* http://localhost:*",
    "form-action 'none'",
    "base-uri 'none'",
  ].join("; ");
}
