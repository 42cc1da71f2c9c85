import { expect, Studio, test } from "./studio";

test("the tour has ten steps, each with a place and a knob, and is walked by keyboard alone", async ({ page }) => {
  const studio = await Studio.open(page, "device=cpu");
  const start = page.getByRole("button", { name: "Show me around" });
  const title = page.locator("#tour-title");
  await start.focus();
  await page.keyboard.press("Enter");
  const titles = new Set<string>();
  for (let step = 1; step <= 10; step += 1) {
    await expect(page.locator("#tour-where")).toHaveText(`Step ${step} of 10`);
    await expect(title).toBeFocused();
    titles.add((await title.textContent()) ?? "");
    await expect(page.locator("[data-toured]")).toHaveCount(1);
    await expect(page.locator("[data-toured]")).toBeInViewport();
    await expect(page.locator("#tour-knob .tour-label")).toHaveCount(1);
    await expect(page.locator("#tour-said")).not.toBeEmpty();
    await page.getByRole("button", { name: step === 10 ? "Done" : "Next" }).focus();
    await page.keyboard.press("Enter");
  }
  expect(titles.size).toBe(10);
  await expect(page.locator("#tour")).toBeHidden();
  await expect(start).toBeFocused();

  // It can be left at any time, and leaves nothing behind.
  await start.click();
  await page.getByRole("button", { name: "Next" }).click();
  await page.keyboard.press("Escape");
  await expect(page.locator("#tour")).toBeHidden();
  await expect(page.locator("[data-toured]")).toHaveCount(0);
  await expect(start).toBeFocused();
  expect(studio.errors).toEqual([]);
});

test("the tour's knobs turn the page's own settings, and its pictures follow", async ({ page }) => {
  const studio = await Studio.open(page, "device=cpu&instances=200");
  await page.getByRole("button", { name: "Show me around" }).click();
  const slider = page.getByRole("slider");
  const next = page.getByRole("button", { name: "Next" });

  await slider.fill("4");
  await expect(page.locator("#set-seeds")).toHaveValue("4");
  await expect(page).toHaveURL(/seeds=4/);
  await expect(page.locator("#tour-said")).toHaveText("28 seeds at most, drawn by chance.");

  await next.click();
  await next.click();
  await slider.fill("0.1");
  const noisy = await page.locator("#tour-picture svg").getAttribute("aria-label");
  await slider.fill("5");
  await expect(page.locator("#tour-picture svg")).not.toHaveAttribute("aria-label", noisy ?? "");
  // The brief itself follows; it is looked at only, and what would be sent has to be drawn anew.
  await expect(page.locator(".tour-quote")).toContainText("Pick the intent of a voice-assistant command");
  const told = await page.locator(".tour-quote").textContent();
  await slider.fill("0.1");
  await expect(page.locator(".tour-quote")).not.toHaveText(told ?? "");
  await expect(page.locator("#teacher-epsilon")).toHaveValue("0.1");
  await expect(page.locator("#brief")).toBeHidden();
  await expect(page.locator("#bytes-left")).toHaveText("0 bytes");

  await next.click();
  await page.locator("#tour").getByRole("radio", { name: "No" }).check();
  await expect(page).toHaveURL(/rows=untouched,seeds_only,psi/);

  // While a run is under way, the knobs that set the next one are locked, and say why.
  await studio.play.click();
  await studio.expectPhase("running");
  await expect(page.locator("#tour").getByRole("radio", { name: "Yes" })).toBeDisabled();
  await expect(page.locator("#tour-said")).toContainText("A run is under way");
  await studio.stop.click();
  await studio.expectPhase("stopped", 5000);
  expect(studio.errors).toEqual([]);
});
