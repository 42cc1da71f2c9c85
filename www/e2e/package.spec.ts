/** The packed tarball, installed into three fresh apps, works there. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { serve } from "./serve";
import { expect, foreign, recordRequests, test } from "./studio";

const here = dirname(fileURLToPath(import.meta.url));
const pkg = join(here, "../../pkg");
const APPS = ["vite", "webpack", "plain"] as const;

/** Where the apps are built, away from the repository and its node_modules. */
let place = "";

function npm(folder: string, ...args: string[]): void {
  execFileSync("npm", [...args, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: folder, stdio: "inherit" });
}

function node(folder: string, script: string, ...args: string[]): void {
  execFileSync(process.execPath, [script, ...args], { cwd: folder, stdio: "inherit" });
}

const tsc = (folder: string, ...args: string[]) =>
  node(folder, join(here, "../node_modules/typescript/bin/tsc"), "--target", "es2022", "--lib", "es2022,dom,dom.iterable", "--strict", ...args, "main.ts");

test.describe.configure({ mode: "serial" });

test.beforeAll(() => {
  test.setTimeout(10 * 60_000);
  place = mkdtempSync(join(tmpdir(), "seedbed-apps-"));
  cpSync(join(here, "apps"), place, { recursive: true });
  npm(place, "ci");
  const { version } = JSON.parse(readFileSync(join(pkg, "package.json"), "utf8")) as { version: string };
  for (const app of APPS) {
    const folder = join(place, app);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), JSON.stringify({ name: `fresh-${app}`, private: true, type: "module" }));
    npm(folder, "install", join(pkg, `seedbed-${version}.tgz`));
    cpSync(join(place, "main.ts"), join(folder, "main.ts"));
  }
});

test.afterAll(() => rmSync(place, { recursive: true, force: true }));

test("the types hold in projects that resolve modules as bundlers do, and as Node does", () => {
  const folder = join(place, "vite");
  tsc(folder, "--noEmit", "--module", "esnext", "--moduleResolution", "bundler");
  tsc(folder, "--noEmit", "--module", "nodenext", "--moduleResolution", "nodenext");
});

for (const app of APPS) {
  test(`the package loads, learns, writes and labels in an app made with ${app === "plain" ? "no bundler" : app}`, async ({ page, context }) => {
    const folder = join(place, app);
    if (app === "vite") {
      node(folder, join(place, "node_modules/vite/bin/vite.js"), "build", "--logLevel", "warn");
    } else {
      tsc(folder, "--module", "esnext", "--moduleResolution", "bundler");
    }
    if (app === "webpack") {
      node(folder, join(place, "node_modules/webpack/bin/webpack.js"), "--mode", "production", "--entry", "./main.js", "--stats", "errors-only");
    }
    const { address, close } = await serve({ "/": app === "vite" ? join(folder, "dist") : folder });
    const requests = recordRequests(context);
    try {
      await page.goto(address);
      await page.waitForFunction(() => "result" in globalThis, undefined, { timeout: 5 * 60_000 });
      const outcome = await page.evaluate(() => (globalThis as unknown as { result: Record<string, any> }).result);
      expect(outcome["error"]).toBeUndefined();
      expectWorking(outcome["result"]);
    } finally {
      close();
    }
    expect(requests.filter((request) => request.endsWith(".wasm"))).toHaveLength(1);
    expect(foreign(requests, address)).toEqual([]);
  });
}

function expectWorking(result: Record<string, any>): void {
  expect(result["loading"]).toBe(6_302_416);
  expect(result["parameters"]).toBeGreaterThan(3_000_000);
  expect(result["device"]).toBe("cpu");
  expect(result["texts"]).toHaveLength(3);
  expect(new Set(result["texts"]).size).toBeGreaterThan(1);
  expect(result["again"]).toEqual(result["texts"]);
  expect(result["events"]).toEqual(expect.arrayContaining(["run_started", "train_step", "row_finished", "finished"]));
  expect(result["rows"]).toEqual(["untouched", "seeds_only"]);
  expect(result["adapter"].config.peft_type).toBe("LORA");
  expect(result["adapter"].bytes).toBeGreaterThan(10_000);
  expect(["glad", "sad"]).toContain(result["label"]);
  expect(result["sum"]).toBeCloseTo(1, 4);
  expect(result["afterwards"]).toBe(1);
  expect(result["embedded"][1]).toBe(2 * result["embedded"][0]);
  expect(result["codes"]).toEqual({
    unready: "bad_setting",
    busy: "busy",
    cancelled: "cancelled",
    superseded: "superseded",
    aborted: "cancelled",
    badTask: "bad_task",
    badSetting: "bad_setting",
    disposed: "disposed",
    hub: "unsupported",
    given: "cancelled",
  });
}
