import type { Page } from "@playwright/test";
import { close, relay } from "./relay";
import { expect, SHORT, Studio, test } from "./studio";

/** What a run on the CPU came to: its numbers, and every instance that it wrote. */
async function result(page: Page, url: string): Promise<{ isolated: boolean; device: string; said: string[] }> {
  const studio = new Studio(page);
  await page.goto(`${url}?device=cpu&${SHORT}`);
  await expect(studio.play).toBeEnabled({ timeout: 120_000 });
  const isolated = await page.evaluate(() => crossOriginIsolated);
  const device = await studio.device.innerText();
  await studio.run();
  expect(studio.errors).toEqual([]);
  const table = await page.locator("#result-table").innerText();
  return { isolated, device, said: [table, ...(await studio.instances.allInnerTexts())] };
}

test("where the page may share memory several threads compute, else one, and both come to the same", async ({ page, context, baseURL }) => {
  await page.goto("./");
  const cores = await page.evaluate(() => navigator.hardwareConcurrency);
  test.skip(cores < 2, "this machine has one core");

  // A host that sends no headers: on the first visit nothing isolates the page from other origins.
  const { server, url } = await relay(baseURL ?? "", { without: ["cross-origin-opener-policy", "cross-origin-embedder-policy"] });
  const alone = await result(page, url);
  expect(alone.isolated).toBe(false);
  expect(alone.device).not.toContain("threads");
  expect(alone.said.length).toBeGreaterThan(3);

  // From the second on the page's own service worker does.
  await expect(page.locator("#offline")).toBeVisible();
  const later = await context.newPage();
  const several = await result(later, url);
  expect(several.isolated).toBe(true);
  expect(several.device).toMatch(/\d+ threads/);
  expect(several.said).toEqual(alone.said);
  await close(server);
});

test("a host that sends the headers has threads on the first visit", async ({ page }) => {
  const studio = await Studio.open(page, "device=cpu");
  const cores = await page.evaluate(() => navigator.hardwareConcurrency);
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  await expect(studio.device).toContainText(cores < 2 ? "CPU" : "threads");
});
