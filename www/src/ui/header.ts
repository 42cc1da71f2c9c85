/** What is always true: the device, what left the tab, and notices that a person should read. */
import type { MemoryNeeded } from "#seedbed/events";
import type { State } from "../state";
import { bytes, plural } from "../words";
import { byId, make, setText, showError } from "./dom";
import { isBusy } from "./task";

/** Where a run's memory goes. */
function memoryParts(memory: MemoryNeeded): string {
  const training = memory.moments + memory.gradients + memory.activations + memory.layer_inputs + memory.workspace;
  const parts = [
    `weights ${bytes(memory.weights)}`,
    `adapter ${bytes(memory.adapter)}`,
    `training ${bytes(training)} or writing ${bytes(memory.kv + memory.reading)}, whichever is more`,
  ];
  return `Memory reckoned before the start: ${parts.join(", ")}`;
}

const READ_ONLY =
  "This run is open in another tab too, so this one only shows it, as it was when it was opened here. It can be changed here once the other tab is closed or shows another run.";

export class Header {
  private readonly chip = byId("device-chip", HTMLLIElement);
  private readonly device = byId("device", HTMLSpanElement);
  private readonly memory = byId("memory", HTMLSpanElement);
  private readonly left = byId("bytes-left", HTMLElement);
  private readonly notices = byId("notices", HTMLDivElement);
  private readonly kept = byId("kept", HTMLSpanElement);
  private readonly forget = byId("forget", HTMLButtonElement);
  private readonly offline = byId("offline", HTMLSpanElement);
  private readonly forgetError = byId("forget-error", HTMLParagraphElement);
  private shown = "";

  constructor(onForget: () => Promise<void>) {
    this.forget.addEventListener("click", () => {
      onForget().then(
        () => showError(this.forgetError, null),
        (thrown: unknown) => showError(this.forgetError, thrown instanceof Error ? thrown.message : String(thrown)),
      );
    });
  }

  draw(state: State): void {
    const { engine } = state;
    this.chip.dataset.device = engine?.device ?? "none";
    const memory = state.run.source === "engine" ? state.run.started?.memory : null;
    setText(this.device, engine?.name ?? (state.engineError === null ? "Looking for a device …" : "No device"));
    setText(this.memory, `memory: ${memory == null ? "–" : bytes(memory.total)}`);
    this.chip.title = memory == null ? "How much a run takes at most stands here once it begins" : memoryParts(memory);
    const asked = state.models.asked.length;
    const hub = asked === 0 ? "" : ` and ${plural(asked, "request")} to the model hub`;
    setText(this.left, bytes(state.boundary.ledger.bytes_sent + state.boundary.underWay) + hub);
    const messages = [engine?.notice ?? null, state.readOnly ? READ_ONLY : null, ...state.notices.map((notice) => notice.message)].filter((text) => text !== null);
    if (messages.join("\n") !== this.shown) {
      this.shown = messages.join("\n");
      this.notices.replaceChildren(...messages.map((text) => make("p", { class: "notice" }, text)));
    }
    const runs = state.kept?.runs.length ?? 0;
    const size = bytes(state.kept?.bytes ?? 0);
    setText(this.kept, runs === 0 ? "No runs stored in this browser." : `${plural(runs, "run")} stored in this browser (${size}).`);
    this.offline.hidden = !state.offline;
    this.forget.hidden = runs === 0;
    this.forget.disabled = isBusy(state);
  }
}
