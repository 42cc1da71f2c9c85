/** The engine's way to the door: a knock goes to the page, which passes it on once the visitor has agreed to it. */
import type { CloseAnswer, DoorAnswer, DoorReply, SeedbedDoor } from "../door-protocol";
import type { Message } from "../protocol";

/** Gives the engine its door. */
export function installDoor(): void {
  const door: SeedbedDoor = (url, body) => {
    const { port1, port2 } = new MessageChannel();
    self.postMessage({ type: "knock", url, body, port: port2 } satisfies Message, [port2]);
    return answered(port1);
  };
  Object.assign(self, { seedbedDoor: door });
}

function answered(port: MessagePort): Promise<DoorReply> {
  return new Promise((resolve, reject) => {
    const waiting: Uint8Array[] = [];
    let over: "no" | "end" | Error = "no";
    let wake: () => void = () => undefined;
    port.onmessage = ({ data }: MessageEvent<DoorAnswer>) => {
      switch (data.type) {
        case "head":
          return resolve({
            status: data.status,
            retryAfter: data.retryAfter ?? undefined,
            async read() {
              while (waiting.length === 0 && over === "no") {
                await new Promise<void>((heard) => (wake = heard));
              }
              const next = waiting.shift();
              if (next === undefined && over instanceof Error) {
                throw over;
              }
              return next;
            },
            close() {
              port.postMessage({ close: true } satisfies CloseAnswer);
              port.close();
            },
          });
        case "bytes":
          waiting.push(data.bytes);
          return wake();
        case "end":
          over = "end";
          return wake();
        case "failed": {
          over = Object.assign(new Error(data.message), { name: data.name });
          reject(over);
          wake();
        }
      }
    };
  });
}
