/** Pictures of every place, from a phone to a large screen, light and dark: `test-results/pictures`, to be looked at. */
import { join } from "node:path";
import { expect, Studio, test } from "./studio";

const SCREENS = [
  { name: "phone", width: 390, height: 844 },
  { name: "desktop", width: 1280, height: 900 },
  { name: "4k", width: 3840, height: 2160 },
];
const PLACES = ["task", "principles", "instances", "training", "result", "confusion", "try", "changes", "map", "keep"];

/** `SCREENSHOT=../docs/page.png`: the picture of the docs, of a whole run with the settings as they come. Takes minutes. */
const PICTURE = process.env["SCREENSHOT"];

test("the picture of the docs is of a whole run with the settings as they come", async ({ page }) => {
  test.skip(PICTURE === undefined, "SCREENSHOT does not say where to put it");
  test.setTimeout(60 * 60_000);
  const studio = await Studio.open(page, "device=cpu");
  await studio.play.click();
  await studio.expectPhase("finished", 50 * 60_000);
  await page.getByLabel("Text to label").fill("play some jazz on spotify");
  await page.getByRole("button", { name: "Ask", exact: true }).click();
  await expect(page.locator("#try-answer section")).toHaveCount(2);
  await expect(page.locator("#map-box svg")).toBeVisible();
  await page.evaluate(() => {
    (document.activeElement as HTMLElement | null)?.blur();
    scrollTo(0, 0);
  });
  await page.screenshot({ path: PICTURE ?? "", fullPage: true, animations: "disabled" });
  expect(studio.errors).toEqual([]);
});

test("every place can be pictured, and none is wider than its screen", async ({ page }) => {
  const folder = join(import.meta.dirname, "../test-results/pictures");
  const studio = await Studio.open(page, "device=cpu&rows=untouched,seeds_only,psi&seeds=3&instances=12&test=35&epochs=1");
  await studio.run();
  await page.getByLabel("Text to label").fill("play some jazz on spotify");
  await page.getByRole("button", { name: "Ask" }).click();
  await expect(page.locator("#try-answer section")).toHaveCount(2);
  await expect(page.locator("#map-box svg")).toBeVisible();
  for (const { name, width, height } of SCREENS) {
    await page.setViewportSize({ width, height });
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      await page.evaluate(() => scrollTo(0, 0));
      await page.screenshot({ path: join(folder, `${name}-${colorScheme}.png`), fullPage: true, animations: "disabled" });
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    }
    if (name === "desktop") {
      await page.emulateMedia({ colorScheme: "light" });
      for (const place of PLACES) {
        await page.locator(`#${place}`).screenshot({ path: join(folder, `place-${place}.png`), animations: "disabled" });
      }
    }
  }
});
