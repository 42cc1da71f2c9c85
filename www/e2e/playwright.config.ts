import { existsSync } from "node:fs";
import { defineConfig } from "@playwright/test";

/** The page under test: `BASE_URL`, or what Vite's preview serves of `dist`. */
const given = process.env["BASE_URL"];
const baseURL = given ?? "http://127.0.0.1:4173/";

const report = process.env["REPORT"];

export default defineConfig({
  testDir: ".",
  outputDir: "../../test-results/e2e",
  // One browser at a time: the runs under test use every core there is.
  workers: 1,
  fullyParallel: false,
  retries: 0,
  forbidOnly: true,
  // WebGPU in software is slow.
  timeout: 10 * 60_000,
  expect: { timeout: 60_000 },
  reporter: report === undefined ? [["list"]] : [["list"], ["json", { outputFile: report }]],
  use: { baseURL, viewport: { width: 1280, height: 900 }, actionTimeout: 30_000, navigationTimeout: 60_000 },
  ...(given === undefined
    ? { webServer: { command: "npx vite preview --host 127.0.0.1 --port 4173 --strictPort", url: baseURL, cwd: ".." } }
    : {}),
});

/** The browser of the tests: the variable `CHROME`, else the usual places. */
export function browserPath(): string {
  const named = process.env["CHROME"];
  const places = [
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome-stable",
    "/usr/bin/google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
  ];
  const found = named ?? places.find((place) => existsSync(place));
  if (found === undefined) {
    throw new Error("No Chromium found; set the variable CHROME to the path of Chromium or Chrome.");
  }
  return found;
}
