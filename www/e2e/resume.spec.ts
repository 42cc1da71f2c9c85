import { expect, Studio, test } from "./studio";

const QUERY = "device=cpu&rows=seeds_only,psi&seeds=2&instances=4&epochs=1&test=21";
const PLACES = ["#instances-list", "#result-table"];

/** Plays, and waits for the new run's first instance; what the run before had is on the page until then. */
async function begin(studio: Studio): Promise<void> {
  await studio.play.click();
  await expect(studio.instances).toHaveCount(0);
  await expect(studio.instances).not.toHaveCount(0);
}

test("a run goes on after a reload, and after Stop when asked, and ends as if it had been left alone", async ({ page }) => {
  const studio = await Studio.open(page, QUERY);
  const shown = () => Promise.all(PLACES.map((place) => page.locator(place).innerText()));
  await studio.run();
  const alone = await shown();
  await page.getByRole("button", { name: "Delete them" }).click();

  // A reload in the middle: everything is brought back, and the run goes on by itself.
  await begin(studio);
  await page.reload();
  await studio.expectPhase("finished", 120_000);
  expect(await shown()).toEqual(alone);
  await expect(page.getByRole("button", { name: "Adapter" })).toBeEnabled();

  // A run that was stopped waits until somebody asks.
  await begin(studio);
  await studio.stop.click();
  await studio.expectPhase("stopped", 5000);
  await page.reload();
  await studio.expectPhase("stopped", 120_000);
  await page.locator("#stored summary").click();
  const runs = page.locator("#stored-runs li");
  await expect(runs.getByRole("button", { name: /^Continue/ })).toHaveCount(1);
  await runs.first().getByRole("button", { name: /^Continue/ }).click();
  await studio.expectPhase("finished", 120_000);
  expect(await shown()).toEqual(alone);
  await expect(runs.getByRole("button", { name: /^Continue/ })).toHaveCount(0);
  expect(studio.errors).toEqual([]);
});
