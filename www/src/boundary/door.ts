/** The page's side of the door: a sandboxed document that is handed the body of a request and nothing else. */
import type { AskDoor, DoorReady, OpenDoor } from "#seedbed/door-protocol";
import { DOOR_ADDRESS } from "./narrow";

/** A door that does not answer is not there. */
const PATIENCE_MS = 15_000;

export class Door {
  private frame: HTMLIFrameElement | null = null;
  private port: Promise<MessagePort> | null = null;
  private endpoint = "";

  /** The doors stand in `place`, where the key is typed in. */
  constructor(private readonly place: HTMLElement) {}

  /** A door to this endpoint. Another endpoint gets a door of its own, so that a key never goes to two hosts. */
  open(endpoint: string): Promise<MessagePort> {
    if (this.port !== null && this.endpoint === endpoint) {
      return this.port;
    }
    this.close();
    const frame = document.createElement("iframe");
    frame.setAttribute("sandbox", "allow-scripts");
    // A page from elsewhere may only ask a server on this machine where the visitor allows it.
    frame.allow = "local-network-access; local-network; loopback-network";
    frame.title = "The door: the key, and the only way to the teacher";
    frame.className = "door";
    frame.referrerPolicy = "no-referrer";
    frame.src = DOOR_ADDRESS;
    this.frame = frame;
    this.endpoint = endpoint;
    this.port = new Promise((resolve, reject) => {
      const failed = () => reject(new Error("The door could not be opened, so nothing can be sent; check that this page's server is still there."));
      const patience = setTimeout(failed, PATIENCE_MS);
      frame.addEventListener(
        "load",
        () => {
          const { port1, port2 } = new MessageChannel();
          port1.onmessage = ({ data }: MessageEvent<DoorReady>) => {
            clearTimeout(patience);
            if (data.ready) {
              resolve(port1);
            }
          };
          // A sandboxed document has no origin that could be named; what it is handed is an address.
          frame.contentWindow?.postMessage({ endpoint } satisfies OpenDoor, "*", [port2]);
        },
        { once: true },
      );
    });
    this.port.catch(() => {
      if (this.frame === frame) {
        this.close();
      }
    });
    this.place.replaceChildren(frame);
    return this.port;
  }

  /** Hands a body through; the answer goes to the port. */
  async pass(endpoint: string, body: string, answer: MessagePort): Promise<void> {
    (await this.open(endpoint)).postMessage({ body } satisfies AskDoor, [answer]);
  }

  close(): void {
    this.frame?.remove();
    this.frame = null;
    this.port = null;
  }
}
