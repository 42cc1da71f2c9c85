import { expect, expectNoBarrier, SHORT, Studio, test } from "./studio";

for (const colorScheme of ["light", "dark"] as const) {
  for (const width of [360, 1280]) {
    test.describe(`at ${width} pixels in ${colorScheme}`, () => {
      test.use({ colorScheme, viewport: { width, height: 900 } });

      test("the page has no serious barrier and is never wider than the screen", async ({ page }) => {
        const studio = await Studio.open(page, `device=cpu&rows=untouched,seeds_only&${SHORT}`);
        await studio.run();
        // A few of the things that open.
        await page.locator("#confusion-table td").first().click();
        await expectNoBarrier(page, width);
        await studio.chooseOwn("happy\twhat joy\nsad\talas");
        await page.getByRole("radio", { name: "Table", exact: true }).check();
        await page.getByRole("button", { name: "Link" }).click();
        // Everything that can be unfolded, and a recipe that has more to show.
        await page.getByRole("radio", { name: /^LANCE/ }).check();
        await page.getByRole("radio", { name: "An endpoint" }).check();
        await page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
        await page.locator("#stored-runs input").check();
        await expectNoBarrier(page, width);
        await page.getByRole("button", { name: "Show me around" }).click();
        await page.getByRole("button", { name: "Next" }).click();
        await page.getByRole("button", { name: "Next" }).click();
        await page.getByRole("slider").fill("1");
        await expect(page.locator(".tour-quote")).not.toBeEmpty();
        await expectNoBarrier(page, width);
      });
    });
  }
}

test("the demo can be played, stopped and played again by keyboard alone", async ({ page }) => {
  const studio = await Studio.open(page, "device=cpu&instances=200");
  for (let presses = 0; presses < 40; presses += 1) {
    await page.keyboard.press("Tab");
    if (await studio.play.evaluate((button) => button === document.activeElement)) {
      break;
    }
  }
  await expect(studio.play).toBeFocused();
  await page.keyboard.press("Enter");
  await studio.expectPhase("running");
  await expect(studio.stop).toBeFocused();
  await page.keyboard.press("Enter");
  await studio.expectPhase("stopped", 5000);
  await expect(studio.play).toBeFocused();
});

test("every place is reached by the Tab key alone, in the order of the page, and none holds it", async ({ page }) => {
  await Studio.open(page, "device=cpu&recipe=evokd");
  await expect(page.locator("#task-summary li")).toHaveCount(7);
  const visited: string[] = [];
  for (let presses = 0; presses < 200; presses += 1) {
    await page.keyboard.press("Tab");
    const place = await page.evaluate(() => document.activeElement?.closest("section[id], footer")?.id ?? (document.activeElement === document.body ? "end" : ""));
    if (place !== "" && visited.at(-1) !== place) {
      visited.push(place);
    }
    if (place === "end") {
      break;
    }
  }
  expect(visited).toEqual(["task", "models", "teacher", "principles", "instances", "training", "result", "confusion", "changes", "rounds", "ledger", "keep", "end"]);
});

test("the page does not jump while a run fills it", async ({ page }) => {
  const studio = await Studio.open(page, `device=cpu&${SHORT}`);
  const places = ["#task", "#principles", "#instances", "#training", "#result", "#try"];
  const tops = () =>
    page.evaluate((ids) => ids.map((id) => Math.round(document.querySelector(id)?.getBoundingClientRect().top ?? 0) + Math.round(scrollY)), places);
  await expect(page.locator("#task-summary li")).toHaveCount(7);
  const before = await tops();
  await studio.run();
  expect(await tops()).toEqual(before);
});
