/** What page and service worker tell each other. */

/** From the page: the engine that opened here, to be kept for use without a network. */
export interface KeepEngine {
  keep: "cpu" | "webgpu";
}

/** The answer, on the port that came with the request: everything that is needed lies in this browser. */
export interface Kept {
  kept: boolean;
}
