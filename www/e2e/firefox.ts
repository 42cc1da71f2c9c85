/**
 * A Firefox as it comes from the system, driven by its own protocol (Marionette): Playwright drives only a Firefox of its own
 * making, which is not to be had from a package registry.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PLACES = ["/usr/bin/firefox-esr", "/usr/bin/firefox", "/Applications/Firefox.app/Contents/MacOS/firefox"];

/** Firefox on this machine: the variable `FIREFOX`, else the usual places. */
export function firefoxPath(): string | undefined {
  return process.env["FIREFOX"] ?? PLACES.find((place) => existsSync(place));
}

const PATIENCE_MS = 60_000;

export class Firefox {
  private received = Buffer.alloc(0);
  private readonly waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  private lastId = 0;

  private constructor(
    private readonly socket: Socket,
    private readonly program: ChildProcess,
    private readonly profile: string,
  ) {
    socket.on("data", (bytes) => this.take(bytes));
    socket.on("error", () => undefined);
    socket.on("close", () => {
      for (const { reject } of this.waiting.values()) {
        reject(new Error("Firefox has closed."));
      }
    });
  }

  static async open(path: string): Promise<Firefox> {
    const profile = mkdtempSync(join(tmpdir(), "seedbed-firefox-"));
    const port = await freePort();
    const settings = { "marionette.port": port, "datareporting.policy.dataSubmissionEnabled": false, "browser.shell.checkDefaultBrowser": false };
    writeFileSync(join(profile, "user.js"), Object.entries(settings).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`).join("\n"));
    const program = spawn(path, ["--headless", "--marionette", "--no-remote", "--profile", profile], { stdio: "ignore" });
    const firefox = new Firefox(await reach(port), program, profile);
    await firefox.call("WebDriver:NewSession", { capabilities: { alwaysMatch: { acceptInsecureCerts: false } } });
    await firefox.call("WebDriver:SetTimeouts", { script: 10 * 60_000 });
    return firefox;
  }

  async go(address: string): Promise<void> {
    await this.call("WebDriver:Navigate", { url: address });
  }

  /** What an expression is in the page. */
  async read<T>(expression: string): Promise<T> {
    const { value } = (await this.call("WebDriver:ExecuteScript", { script: `return (${expression});`, args: [] })) as { value: T };
    return value;
  }

  async click(selector: string): Promise<void> {
    await this.read(`document.querySelector(${JSON.stringify(selector)}).click()`);
  }

  /** Waits until the expression is true. */
  async until(expression: string, patience = PATIENCE_MS): Promise<void> {
    const end = Date.now() + patience;
    while (!(await this.read<boolean>(`Boolean(${expression})`))) {
      if (Date.now() > end) {
        throw new Error(`Firefox waited in vain for ${expression}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  close(): void {
    this.socket.destroy();
    this.program.once("exit", () => rmSync(this.profile, { recursive: true, force: true }));
    this.program.kill();
  }

  private call(name: string, parameters: object): Promise<unknown> {
    const id = ++this.lastId;
    const message = JSON.stringify([0, id, name, parameters]);
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.socket.write(`${Buffer.byteLength(message)}:${message}`);
    });
  }

  /** Messages come as their length, a colon and JSON. */
  private take(bytes: Buffer): void {
    this.received = Buffer.concat([this.received, bytes]);
    for (;;) {
      const colon = this.received.indexOf(":");
      const end = colon + 1 + Number(this.received.subarray(0, colon).toString());
      if (colon < 0 || this.received.length < end) {
        return;
      }
      const message = JSON.parse(this.received.subarray(colon + 1, end).toString()) as unknown;
      this.received = this.received.subarray(end);
      // The first message only says who speaks.
      if (Array.isArray(message)) {
        const [, id, error, value] = message as [number, number, { error: string; message: string } | null, unknown];
        const call = this.waiting.get(id);
        this.waiting.delete(id);
        if (error === null) {
          call?.resolve(value);
        } else {
          call?.reject(new Error(`${error.error}: ${error.message}`));
        }
      }
    }
  }
}

/** A port of this machine that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function reach(port: number): Promise<Socket> {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const socket = await new Promise<Socket | null>((resolve) => {
      const tried = connect(port, "127.0.0.1", () => resolve(tried));
      tried.once("error", () => resolve(null));
    });
    if (socket !== null) {
      return socket;
    }
    if (Date.now() > end) {
      throw new Error("Firefox does not answer.");
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
