import { expect, Studio, test } from "./studio";

/** Ends the browser's GPU process, and with it every device of the page, as a driver that is reset does. */
async function loseTheDevice(browser: import("@playwright/test").Browser): Promise<void> {
  const session = await browser.newBrowserCDPSession();
  // The call is never answered where the process ends before it could.
  void (session.send as (method: string) => Promise<unknown>)("Browser.crashGpuProcess").catch(() => undefined);
}

test("a run whose device is lost keeps what it measured, and the next Play has a new device", async ({ page, launched }) => {
  // Long enough that the run is still in training when the device goes.
  const studio = await Studio.open(page, "device=webgpu&rows=untouched,seeds_only&seeds=2&epochs=100&test=7");
  await expect(studio.device).toHaveAttribute("data-device", "webgpu");
  await studio.play.click();
  await studio.expectStage("Training");
  await loseTheDevice(launched);
  await studio.expectPhase("failed", 60_000);
  await expect(page.getByText(/device (stopped answering|was lost)/).first()).toBeVisible();
  await expect(studio.bars).toHaveCount(1);

  await expect(studio.play).toBeEnabled({ timeout: 60_000 });
  await expect(studio.device).toHaveAttribute("data-device", "webgpu");
  await studio.play.click();
  await studio.expectPhase("running");
  await studio.stop.click();
  await studio.expectPhase("stopped", 5000);
});

test("a device that is lost while nothing runs is replaced, and that is said", async ({ page, launched }) => {
  const studio = await Studio.open(page, "device=webgpu");
  await loseTheDevice(launched);
  await expect(studio.notices).toContainText(["graphics device was lost"]);
  await expect(studio.play).toBeEnabled({ timeout: 60_000 });
  await expect(studio.device).toHaveAttribute("data-device", "webgpu");
  expect(studio.errors).toEqual([]);
});
