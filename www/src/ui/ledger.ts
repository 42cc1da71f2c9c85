/** The ledger: everything that left, line by line, and every file that was fetched. */
import { type Ledger, isProbe, type LedgerEntry } from "../boundary/ledger";
import { fileName, save } from "../downloads";
import type { State } from "../state";
import { bytes, count, plural } from "../words";
import { byId, emptyHint, make, setText } from "./dom";

export class LedgerPlace {
  private readonly lead = byId("ledger-lead", HTMLParagraphElement);
  private readonly list = byId("ledger-list", HTMLOListElement);
  private drawn: Ledger | null = null;

  constructor() {
    byId("ledger-export", HTMLButtonElement).addEventListener("click", () => {
      if (this.drawn !== null) {
        save(new Blob([JSON.stringify(this.drawn, null, 2)], { type: "application/json" }), fileName("ledger", "ledger.json"));
      }
    });
  }

  draw({ boundary: { ledger } }: State): void {
    if (ledger === this.drawn) {
      return;
    }
    this.drawn = ledger;
    const sent = ledger.entries.filter((entry) => entry.type === "sent").length;
    const fetched = ledger.entries.filter((entry) => entry.type === "download" && entry.bytes !== null).length;
    const spent = `epsilon ${Math.round(ledger.spent * 1000) / 1000} of ${ledger.total}`;
    setText(
      this.lead,
      sent === 0
        ? `Nothing: 0 bytes. ${fetched === 0 ? "" : `${plural(fetched, "model file")} came in.`}`
        : `${bytes(ledger.bytes_sent)} in ${plural(sent, "request")}, ${spent}. ${plural(fetched, "model file")} came in.`,
    );
    const lines = ledger.entries.map((entry) => line(entry));
    this.list.replaceChildren(...(lines.length === 0 ? [make("li", {}, emptyHint("Requests and downloads appear here, with the time, the place and every byte."))] : lines));
  }
}

function line(entry: LedgerEntry): HTMLElement {
  const time = make("time", { datetime: new Date(entry.at).toISOString() }, new Date(entry.at).toLocaleTimeString("en-GB"));
  const put = (what: string, detail: string, text: string | null = null, name = "") =>
    make(
      "li",
      { "data-entry": entry.type },
      time,
      make("b", {}, what),
      make("span", { class: "ledger-detail" }, detail),
      text === null || text === "" ? null : make("details", { class: "quiet" }, make("summary", {}, name), make("pre", { class: "box brief-text", tabindex: "0", "aria-label": name }, text)),
    );
  switch (entry.type) {
    case "cleared":
      return put("Cleared", `a brief of ${bytes(entry.bytes)}, about ${plural(entry.tokens, "token")}, epsilon ${entry.epsilon}, for ${entry.destination}`, entry.text, "The brief");
    case "refused":
      return put("Refused", entry.reason);
    case "shared":
      return put("SEEDS SENT", `${plural(entry.seeds, "seed")} as they stand, to ${entry.destination}`);
    case "sent":
      return isProbe(entry)
        ? put("Sent", `a request without any content, to see whether ${entry.destination} is there`)
        : put("Sent", `${bytes(entry.bytes)} to ${entry.destination}`, entry.body, "Its body");
    case "answered": {
      const tokens = entry.tokens === null ? "" : `, ${count(entry.tokens[0])} tokens read and ${count(entry.tokens[1])} written`;
      const status = entry.status === 0 ? "no answer" : `status ${entry.status}`;
      return put("Answered", `${status}, ${bytes(entry.bytes)} came back${tokens}`, entry.text, "The answer");
    }
    case "download":
      return entry.bytes === null ? put("Asked", entry.url) : put("Fetched", `${bytes(entry.bytes)} from ${entry.url}`);
  }
}
