import { expect, Studio, test } from "./studio";

for (const { title, query } of [
  // Soon in the stage, and long enough that the run is still in it when Stop is pressed.
  { title: "Instances", query: "rows=psi&seeds=2&instances=200&epochs=1&test=21" },
  { title: "Training", query: "rows=seeds_only&epochs=100&test=21" },
]) {
  for (const device of ["cpu", "webgpu"]) {
    test(`Stop ends the stage ${title} within a second on ${device}, and the page can play again`, async ({ page }) => {
      const studio = await Studio.open(page, `device=${device}&${query}`);
      await studio.play.click();
      await studio.expectStage(title);
      const seen = await studio.instances.count();
      expect(await studio.stopAndMeasure()).toBeLessThan(1000);
      await studio.expectPhase("stopped");
      expect(await studio.instances.count()).toBeGreaterThanOrEqual(seen);

      await expect(studio.play).toBeEnabled();
      await studio.play.click();
      await studio.expectPhase("running");
      await studio.stop.click();
      await studio.expectPhase("stopped", 5000);
      expect(studio.errors).toEqual([]);
    });
  }
}

test("a worker that does not listen is ended within a second, and what it had streamed stays", async ({ page }) => {
  const studio = await Studio.open(page, `device=cpu&rows=psi&seeds=2&instances=200&epochs=1&test=21`);
  await studio.play.click();
  await expect(studio.instances).not.toHaveCount(0);
  const worker = page.workers()[0];
  // Deaf for a minute; the answer never comes, since the worker is gone before that.
  void worker
    ?.evaluate(() => {
      const end = performance.now() + 60_000;
      while (performance.now() < end) {
        // nothing
      }
    })
    .catch(() => undefined);
  await page.waitForTimeout(300);
  expect(await studio.stopAndMeasure()).toBeLessThan(1000);
  await expect(studio.instances).not.toHaveCount(0);
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Instances" }).click(),
  ]);
  expect(download.suggestedFilename()).toBe("seedbed-snips-intent-instances.jsonl");

  await page.getByLabel("Instances", { exact: true }).fill("7");
  await expect(studio.play).toBeEnabled();
  await studio.play.click();
  await studio.expectPhase("running");
  await studio.stop.click();
  await studio.expectPhase("stopped", 5000);
});
