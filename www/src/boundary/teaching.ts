/** What the page does about its teacher: draws the brief, waits for the visitor, lets it through the door, keeps account. */
import { EngineError, type EngineClient } from "#seedbed/engine-client";
import type { AskOptions, Brief, PrincipleSet, RunOptions, TaskFiles } from "#seedbed/protocol";
import { toRunOptions } from "../settings";
import type { Store } from "../state";
import type { Door } from "./door";
import type { DoorAnswer } from "#seedbed/door-protocol";
import { type Ledger, type LedgerEntry, readLedger, withOwnLines } from "./ledger";
import type { BoundaryState, TeacherKind } from "./state";

/** The engine tries again where trouble may pass; one consent is for no more requests than this. */
const MOST_REQUESTS = 8;
const KEPT = "seedbed-ledger";

/** A request that is held until the visitor has agreed to it. */
interface Knock {
  url: string;
  body: string;
  port: MessagePort;
}

export class Teaching {
  /** What the visitor has agreed to: this brief, to this address. */
  private consent: { url: string; text: string; model: string; left: number } | null = null;
  private knock: Knock | null = null;
  /** What went through the door since the engine's ledger was last taken over. */
  private passed: Knock[] = [];
  /** Lines that only the page knows: downloads, and requests without content. */
  private own: LedgerEntry[] = [];

  constructor(
    private readonly store: Store,
    private readonly client: EngineClient,
    private readonly door: Door,
    private readonly files: () => Promise<TaskFiles | null>,
  ) {
    const kept = readLedger(parsed(sessionStorage.getItem(KEPT)));
    if (kept !== null) {
      this.own = kept.entries.filter((entry) => entry.type === "download" || (entry.type === "sent" && entry.bytes === 0));
      this.state.ledger = kept;
      this.state.total = kept.total;
    }
  }

  private get state(): BoundaryState {
    return this.store.state.boundary;
  }

  private update(change: Partial<BoundaryState>): void {
    this.store.update(({ boundary }) => Object.assign(boundary, change));
  }

  choose(teacher: TeacherKind): void {
    this.update({ teacher, brief: null, read: false, error: null, said: "" });
    if (teacher !== "endpoint") {
      this.door.close();
    }
  }

  /** Changes what the brief is made of or where it goes; the one that was shown no longer holds. */
  change(change: Partial<BoundaryState>): void {
    this.update({ ...change, brief: null, read: false, error: null });
    this.consent = null;
  }

  /** Draws the brief and shows it. Opens the door too, so that a key can be typed in. */
  async draw(): Promise<void> {
    await this.attempt("drawing", async () => {
      const files = await this.files();
      if (files === null) {
        return;
      }
      await this.handOver();
      const brief = await this.client.call("drawBrief", { files, options: this.options() });
      this.update({ brief, read: false });
      await this.takeLedger();
      await this.door.open(brief.destination);
    });
  }

  /** Draws a brief to look at, with another epsilon. What was drawn to be sent is drawn anew before it can be. */
  async preview(epsilon: number): Promise<void> {
    this.change({ epsilon });
    const files = await this.files();
    if (files !== null) {
      const drawn = await this.client.call("drawBrief", { files, options: this.options() }).then(({ text }) => text, (thrown: unknown) => messageOf(thrown));
      // A knob that is turned fast is ahead of the answers.
      if (this.state.epsilon === epsilon) {
        this.update({ preview: drawn });
      }
    }
  }

  /** The visitor has read the brief, or takes that back. */
  agree(read: boolean): void {
    this.update({ read });
  }

  /** The visitor has read the brief, and wants it sent. */
  async send(): Promise<void> {
    const { brief, waiting } = this.state;
    if (brief === null || brief.body === null || !this.state.read) {
      return;
    }
    this.consent = { url: brief.destination, text: brief.text, model: modelOf(brief.body), left: MOST_REQUESTS };
    if (waiting) {
      this.update({ waiting: false });
      const { knock } = this;
      this.knock = null;
      if (knock !== null) {
        await this.pass(knock);
      }
      return;
    }
    await this.attempt("asking", async () => {
      const files = await this.files();
      if (files === null) {
        return;
      }
      try {
        const answer = await this.client.call("askTeacher", { files, options: this.options() });
        const counted = `${answer.estimated ? "about " : ""}${answer.tokens_in} tokens sent, ${answer.tokens_out} came back`;
        this.adopt(answer.principles, `answer of ${this.state.model}`);
        this.update({ said: [`The teacher answered with ${answer.principles.principles.length} principles (${counted}).`, ...answer.warnings].join(" "), brief: null, read: false });
      } finally {
        this.consent = null;
        await this.takeLedger();
      }
    });
  }

  /** Nothing is sent: a call under way is given up, a brief that waits is declined. */
  async cancel(): Promise<void> {
    this.consent = null;
    if (this.knock !== null) {
      decline(this.knock.port);
      this.knock = null;
    }
    this.update({ waiting: false, brief: null, read: false });
    if (this.state.phase === "asking") {
      await this.client.call("stopAsking", {}).catch(() => undefined);
    }
  }

  /** The engine wants something sent. It goes on its way at once only where the visitor has agreed to this very brief. */
  async knocked(url: string, body: string, port: MessagePort): Promise<void> {
    const { consent } = this;
    const text = briefIn(body);
    if (consent !== null && consent.left > 0 && consent.url === url && consent.text === text && consent.model === modelOf(body)) {
      consent.left -= 1;
      return this.pass({ url, body, port });
    }
    // In the middle of a run: shown, and held until the visitor decides.
    this.knock = { url, body, port };
    const { ledger, epsilon, total } = this.state;
    const brief: Brief = { text, destination: url, body, tokens: Math.ceil(body.length / 4), epsilon, spent: ledger.spent, total, told: [], warnings: [], refusal: null };
    this.update({ teacher: "endpoint", brief, waiting: true, read: false });
    // So that a key can be typed in meanwhile.
    void this.door.open(url).catch(() => undefined);
  }

  /** A run is over: nobody waits for a brief any more. */
  async runEnded(): Promise<void> {
    if (this.knock !== null) {
      await this.cancel();
    }
    this.consent = null;
    await this.takeLedger();
  }

  /** The engine's worker ended: what it held can no longer be answered. What was under way has left all the same. */
  ended(): void {
    this.knock = null;
    const { ledger, epsilon } = this.state;
    const lost: LedgerEntry[] = [];
    for (const { url, body } of this.passed) {
      const [at, text, bytes] = [Date.now(), briefIn(body), new TextEncoder().encode(body).length];
      if (!lost.some((entry) => entry.type === "cleared" && entry.text === text)) {
        // The engine took to its grave what this brief cost anew: it is counted in full.
        const releases = [{ id: `lost-${at}-${lost.length}`, epsilon }];
        lost.push({ type: "cleared", at, destination: url, epsilon, releases, bytes: text.length, tokens: Math.ceil(text.length / 4), text });
        ledger.spent += epsilon;
      }
      lost.push({ type: "sent", at, destination: url, bytes, body });
      ledger.bytes_sent += bytes;
    }
    this.passed = [];
    this.update({ waiting: false, underWay: 0 });
    if (lost.length > 0) {
      this.keep({ ...ledger, entries: [...ledger.entries, ...lost] });
    }
  }

  /** Lets a body through the door, and listens in on what became of it. */
  private async pass({ url, body, port }: Knock): Promise<void> {
    const bytes = new TextEncoder().encode(body).length;
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }: MessageEvent<DoorAnswer>) => {
      port.postMessage(data, data.type === "bytes" ? [data.bytes.buffer] : []);
      if (data.type === "failed" && data.probed) {
        this.note({ type: "sent", at: Date.now(), destination: url, bytes: 0, body: "" });
      }
    };
    port.onmessage = ({ data }) => port1.postMessage(data);
    this.store.update(({ boundary }) => void (boundary.underWay += bytes));
    this.passed.push({ url, body, port });
    try {
      await this.door.open(url);
      port.postMessage({ type: "passed" } satisfies DoorAnswer);
      await this.door.pass(url, body, port2);
    } catch (thrown) {
      // It never left.
      this.passed.pop();
      this.store.update(({ boundary }) => void (boundary.underWay -= bytes));
      port.postMessage({ type: "failed", name: "declined", message: "", probed: false } satisfies DoorAnswer);
      this.update({ error: messageOf(thrown) });
    }
  }

  /** A line that the engine does not know. */
  note(entry: LedgerEntry): void {
    this.own.push(entry);
    this.keep(this.state.ledger);
  }

  /** Takes the engine's ledger over. */
  async takeLedger(): Promise<void> {
    const text = await this.client.call("ledger", {}).catch(() => null);
    const ledger = readLedger(parsed(text));
    if (ledger !== null) {
      this.passed = [];
      this.update({ underWay: 0 });
      this.keep(ledger);
    }
  }

  private keep(ledger: Ledger): void {
    const whole = withOwnLines(ledger, this.own);
    this.update({ ledger: whole });
    try {
      sessionStorage.setItem(KEPT, JSON.stringify(whole));
    } catch {
      // Then a reload begins with an empty one.
    }
  }

  /** Before the engine spends anything it is told what was spent: it may have been started anew. */
  async handOver(): Promise<void> {
    const { ledger } = this.state;
    if (ledger.entries.some((entry) => entry.type === "cleared")) {
      await this.client.call("setLedger", { ledger: JSON.stringify({ ...ledger, entries: ledger.entries.filter((entry) => entry.type !== "download") }) });
    }
  }

  /** A run's file brings its ledger and its principles. */
  open(ledger: Ledger | null, principles: PrincipleSet | null): void {
    if (ledger !== null && this.state.ledger.entries.every((entry) => entry.type === "download")) {
      this.own = ledger.entries.filter((entry) => entry.type === "download");
      this.keep(ledger);
    }
    if (principles !== null) {
      this.adopt(principles, "file of the run");
    }
  }

  /** The principles that the offline teacher would write. */
  async writeOffline(): Promise<void> {
    await this.check(null, "offline teacher");
  }

  /** Principles out of a file or of the visitor's own hand, checked as strictly as any others. */
  async bring(text: string, from: string): Promise<void> {
    await this.check(text, from);
  }

  forget(): void {
    this.update({ set: null, said: "", error: null });
  }

  private async check(text: string | null, from: string): Promise<void> {
    await this.attempt("drawing", async () => {
      const files = await this.files();
      if (files !== null) {
        const options = toRunOptions(this.store.state.settings);
        const { principles, warnings } = await this.client.call("checkPrinciples", { files, text, options });
        this.adopt(principles, from);
        this.update({ said: warnings.join(" ") });
      }
    });
  }

  private adopt(set: PrincipleSet, from: string): void {
    this.store.update(({ boundary }) => {
      boundary.set = set;
      boundary.versions.push({ from, set: structuredClone(set) });
    });
  }

  /** What a run is told of its teacher. */
  runOptions(): Pick<RunOptions, "principles" | "teacher" | "epsilon" | "tell_weakness" | "own_words_confirmed"> {
    const { set, teacher, tellWeakness, address, model, epsilon, confirmed } = this.state;
    const options: ReturnType<Teaching["runOptions"]> = set === null ? {} : { principles: JSON.stringify(set) };
    if (teacher === "endpoint" && (set === null || tellWeakness)) {
      Object.assign(options, { teacher: { url: address, model }, epsilon, tell_weakness: tellWeakness, own_words_confirmed: confirmed });
    }
    return options;
  }

  private options(): AskOptions {
    const { address, model, epsilon, total, confirmed } = this.state;
    return { teacher: { url: address.trim(), model: model.trim() }, epsilon, total, own_words_confirmed: confirmed };
  }

  private async attempt(phase: BoundaryState["phase"], work: () => Promise<void>): Promise<void> {
    this.update({ phase, error: null, said: "" });
    try {
      await work();
    } catch (thrown) {
      const cancelled = thrown instanceof EngineError && thrown.code === "cancelled";
      this.update(cancelled ? { said: "Given up; what was sent stands in the ledger." } : { error: messageOf(thrown) });
    }
    this.update({ phase: "idle" });
  }
}

function decline(port: MessagePort): void {
  port.postMessage({ type: "failed", name: "declined", message: "", probed: false } satisfies DoorAnswer);
}

/** The brief in the body of a request. */
function briefIn(body: string): string {
  const request = parsed(body) as { messages?: { content?: string }[] } | null;
  return request?.messages?.[1]?.content ?? "";
}

function modelOf(body: string): string {
  return (parsed(body) as { model?: string } | null)?.model ?? "";
}

function parsed(text: string | null): unknown {
  try {
    return text === null ? null : JSON.parse(text);
  } catch {
    return null;
  }
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
