import type { Page } from "@playwright/test";
import { expect, SHORT, Studio, test } from "./studio";

/** No graphics card is asked for, so that the run is the CPU's. */
const ON_THE_CPU = `${SHORT}&device=cpu`;

/** What a run on the CPU came to: its numbers, and every instance that it wrote. */
async function result(page: Page): Promise<{ device: string; said: string[] }> {
  const studio = await Studio.open(page, ON_THE_CPU);
  const device = await studio.device.innerText();
  await studio.run();
  expect(studio.errors).toEqual([]);
  const table = await page.locator("#result-table").innerText();
  return { device, said: [table, ...(await studio.instances.allInnerTexts())] };
}

test("a page that may share memory computes with several threads, one that may not with one, and both come to the same", async ({ page, context }) => {
  await page.goto("./");
  const cores = await page.evaluate(() => navigator.hardwareConcurrency);
  test.skip(cores < 2, "this machine has one core");
  const several = await result(page);
  expect(several.device).toMatch(/\d+ threads/);

  // As a server would that knows nothing of isolation.
  await context.route("**/*", async (route) => {
    const response = await route.fetch();
    const headers = { ...response.headers() };
    delete headers["cross-origin-opener-policy"];
    delete headers["cross-origin-embedder-policy"];
    await route.fulfill({ response, headers });
  });
  const other = await context.newPage();
  const alone = await result(other);
  expect(await other.evaluate(() => crossOriginIsolated)).toBe(false);
  expect(alone.device).not.toContain("threads");
  expect(several.said.length).toBeGreaterThan(3);
  expect(alone.said).toEqual(several.said);
});
