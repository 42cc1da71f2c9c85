import { readFile } from "node:fs/promises";
import { strFromU8, unzipSync } from "fflate";
import type { Page } from "@playwright/test";
import { expect, SHORT, Studio, test, withoutPace } from "./studio";

async function download(page: Page, button: string): Promise<{ name: string; path: string; content: Buffer }> {
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: button }).click()]);
  const path = await file.path();
  return { name: file.suggestedFilename(), path, content: await readFile(path) };
}

/** All that the places show, as text. */
async function shown(page: Page): Promise<Record<string, string>> {
  const places = ["#principles-box", "#instances-list", "#diversity", "#training-numbers", "#result-table", "#confusion-table", "#changes-table"];
  const texts: Record<string, string> = {};
  for (const place of places) {
    texts[place] = withoutPace(await page.locator(place).innerText());
  }
  return texts;
}

test("a run saved as one file is shown by another tab as it was, with its adapter and the visitor's changes", async ({ page, context }) => {
  const studio = await Studio.open(page, `device=cpu&rows=untouched,psi&${SHORT}`);
  await studio.run();
  await studio.instances.first().getByRole("button", { name: "Details" }).click();
  await studio.instances.first().getByRole("button", { name: "Delete" }).click();
  const adapter = await download(page, "Adapter");
  const run = await download(page, "Run all that");
  expect(run.name).toBe("seedbed-snips-intent-run.json");
  expect(run.content.includes(SEED)).toBe(false);

  const data = unzipSync((await download(page, "Data set")).content);
  const card = strFromU8(data["README.md"] ?? new Uint8Array());
  expect(card).toContain("0 edited, 1 deleted");
  expect(card).toContain("`seedbed-3m`");
  expect(strFromU8(data["instances.jsonl"] ?? new Uint8Array()).trim().split("\n")).toHaveLength((await studio.instances.count()) - 1);

  const other = await context.newPage();
  const opened = await Studio.open(other, "device=cpu");
  await other.getByLabel("A run's file").setInputFiles(run.path);
  await opened.expectPhase("finished", 5000);
  await expect(opened.bars).toHaveCount(2);
  await expect(other.locator("#diversity td").nth(0)).toHaveText((await page.locator("#diversity td").nth(0).textContent()) ?? "");
  expect(await shown(other)).toEqual(await shown(page));
  expect(unzipSync((await download(other, "Adapter")).content)).toEqual(unzipSync(adapter.content));
  await expect(other).toHaveURL(/rows=untouched,psi/);
  // It can be saved again, and is the same file.
  expect((await download(other, "Run all that")).content.equals(run.content)).toBe(true);
  // Its student is back too, and says there what it says here.
  for (const tab of [page, other]) {
    await tab.getByLabel("Text to label").fill("play some jazz on spotify");
    await tab.getByRole("button", { name: "Ask", exact: true }).click();
    await expect(tab.locator("#try-answer section")).toHaveCount(2);
  }
  expect(await other.locator("#try-answer").innerText()).toBe(await page.locator("#try-answer").innerText());
  // And so the map can be drawn.
  await expect(other.locator("#map-box svg")).toBeVisible();
  expect([...studio.errors, ...opened.errors]).toEqual([]);
});

/** Stands in the seeds of the bundled task. */
const SEED = "Add this tune to my Top 100 Rock Tracks on Spotify";

test("what is no run is refused in one line, and the page stays as it was", async ({ page }) => {
  const studio = await Studio.open(page, "device=cpu");
  const error = page.locator("#keep-error");
  const started = { type: "run_started", task: "t", model: "m", device: "cpu", seed: 1, recipe: "psi", labels: ["a", "b"], seeds: 2, test: 1, warnings: [] };
  const run = (events: unknown[], version: unknown = 1) => JSON.stringify({ format: "seedbed-run", version, settings: "", events, edits: [], adapter: null, own: null });
  for (const { text, line } of [
    { text: "{", line: /no whole JSON/ },
    { text: "[]", line: /no Seedbed run/ },
    { text: run([started], 2), line: /version 2/ },
    { text: run([]), line: /holds no run/ },
    { text: run([started, { type: "row_finished", row: "psi", metrics: {}, confusion: [] }]), line: /Event 2/ },
    { text: run([started, { type: "row_finished", row: "__proto__", metrics: null, confusion: [] }]), line: /Event 2/ },
  ]) {
    await page.getByLabel("A run's file").setInputFiles({ name: "run.json", mimeType: "application/json", buffer: Buffer.from(text) });
    await expect(error).toHaveText(line);
    await studio.expectPhase("idle", 5000);
  }

  // Markup in a file is text, and an event of a later page is passed over.
  const markup = '<img src=x onerror="document.title=1">';
  const instance = { type: "instance", row: "psi", index: 0, label: markup, text: markup, accepted: true, reason: null, principles: [markup] };
  await page.getByLabel("A run's file").setInputFiles({
    name: "run.json",
    mimeType: "application/json",
    buffer: Buffer.from(run([{ ...started, labels: [markup, "b"] }, { type: "of a later page" }, instance])),
  });
  await studio.expectPhase("stopped", 5000);
  await expect(error).toBeHidden();
  await expect(studio.instances.locator("p.text")).toHaveText(markup);
  await studio.instances.locator("p.text").click();
  await expect(page.locator("main img")).toHaveCount(0);
  expect(studio.errors).toEqual([]);
});

test("the link carries the settings and none of the data", async ({ page, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const studio = await Studio.open(page, "device=cpu&epochs=2");
  await studio.chooseOwn("happy\tmy secret joy\nsad\tmy secret sorrow");
  await page.getByRole("button", { name: "Link" }).click();
  await expect(page.locator("#keep-said")).toContainText("Copied");
  const link = await page.evaluate(() => navigator.clipboard.readText());
  expect(link).toBe(await page.locator("#link-address").inputValue());
  expect(link).toMatch(/\?task=own&device=cpu&epochs=2$/);
  expect(link).not.toContain("secret");
});
