/** First of all the page's code: of its own documents it may frame the door alone. A second policy can only narrow the first. */
export const DOOR_ADDRESS = new URL("door.html", document.baseURI).href;

export function addPolicy(policy: string): void {
  const meta = document.createElement("meta");
  meta.httpEquiv = "Content-Security-Policy";
  meta.content = policy;
  document.head.append(meta);
}

addPolicy(`frame-src ${DOOR_ADDRESS}`);
