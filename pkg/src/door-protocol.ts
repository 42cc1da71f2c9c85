/** What page, worker and door tell each other. */

/** From the page, with a port to go on talking on: where the door may send to. Only the first is heard. */
export interface OpenDoor {
  endpoint: string;
}

/** From the door, once it has narrowed itself. */
export interface DoorReady {
  ready: boolean;
}

/** From the page on that port, with a port for the answer: the body of a request, and nothing else. */
export interface AskDoor {
  body: string;
}

/** From the door on the answer's port. */
export type DoorAnswer =
  | { type: "head"; status: number; retryAfter: string | null }
  | { type: "bytes"; bytes: Uint8Array<ArrayBuffer> }
  | { type: "end" }
  /** `probed`: one more request was made, without any content, to tell a refusal from a broken network. */
  | { type: "failed"; name: "cors" | "network" | "key" | "declined"; message: string; probed: boolean };

/** To the door on the answer's port: nobody reads on. */
export interface CloseAnswer {
  close: true;
}

/** The function that the engine calls in the worker. */
export type SeedbedDoor = (url: string, body: string) => Promise<DoorReply>;

export interface DoorReply {
  readonly status: number;
  readonly retryAfter: string | undefined;
  read(): Promise<Uint8Array | undefined>;
  close(): void;
}
