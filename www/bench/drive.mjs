/**
 * One page, one job, one fresh browser. `xtask bench` calls it:
 *   node drive.mjs ADDRESS-OF-THE-PAGE JOB-AS-JSON
 * CHROME is the browser, CHROME_FLAGS more flags, TIMEOUT_S how long to wait. Prints the page's outcome as one line of JSON.
 */
import { chromium } from "@playwright/test";

const [address, job] = process.argv.slice(2);
if (address === undefined || job === undefined) {
  console.error("usage: node drive.mjs ADDRESS JOB");
  process.exit(2);
}

/** What the browser would do by itself, and what it would slow down because nobody looks at it. */
const FLAGS = [
  "--no-sandbox",
  "--enable-unsafe-webgpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
  "--disable-background-timer-throttling",
  "--disable-renderer-backgrounding",
];
const more = (process.env["CHROME_FLAGS"] ?? "").split(" ").filter((flag) => flag !== "");
const timeout = 1e3 * Number(process.env["TIMEOUT_S"] ?? 900);

const browser = await chromium.launch({
  ...(process.env["CHROME"] === undefined ? {} : { executablePath: process.env["CHROME"] }),
  headless: true,
  args: [...FLAGS, ...more],
});
const log = [];
const page = await browser.newPage();
let outcome;
try {
  page.on("console", (message) => message.type() === "error" && log.push(message.text().slice(0, 500)));
  page.on("pageerror", (error) => log.push(error.message.slice(0, 500)));
  const crashed = new Promise((_, reject) => page.on("crash", () => reject(new Error("the page crashed"))));
  // Not until it has loaded: a page may begin its work before, and answer to nothing meanwhile.
  await page.goto(`${address}?job=${encodeURIComponent(job)}`, { waitUntil: "commit" });
  await Promise.race([crashed, page.waitForFunction(() => globalThis.benchOutcome !== undefined, null, { timeout })]);
  outcome = await page.evaluate(() => globalThis.benchOutcome);
} catch (error) {
  // A page that is too slow has some of its measures; one that has crashed answers no more.
  const patience = new Promise((resolve) => setTimeout(resolve, 5_000));
  const soFar = await Promise.race([page.evaluate(() => globalThis.benchSoFar).catch(() => undefined), patience]);
  outcome = { measures: {}, ...soFar, error: String(error.message ?? error).split("\n")[0] };
} finally {
  outcome = { ...outcome, browser: browser.version(), ...(log.length > 0 ? { log: log.slice(-8) } : {}) };
  // A page that computes without end keeps its browser from closing; it is ended with this program.
  await Promise.race([browser.close(), new Promise((resolve) => setTimeout(resolve, 5_000))]);
}
process.stdout.write(`${JSON.stringify(outcome)}\n`, () => process.exit());
