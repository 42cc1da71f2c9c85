import { expect, SHORT, Studio, test } from "./studio";

test("of two tabs that show one run the second only reads it, says so, and takes over when the first is closed", async ({ page, context }) => {
  const first = await Studio.open(page, `device=cpu&rows=untouched,psi&${SHORT}`);
  await first.run();

  const other = await context.newPage();
  const second = await Studio.open(other, "device=cpu");
  await other.locator("#stored summary").click();
  await other.getByRole("button", { name: /^Show the run/ }).click();
  await second.expectPhase("finished");
  await expect(second.notices).toHaveText(/open in another tab/);
  await second.instances.first().getByRole("button", { name: "Details" }).click();
  const remove = second.instances.first().getByRole("button", { name: "Delete" });
  await expect(remove).toBeDisabled();
  await expect(other.getByLabel("Wording")).toBeDisabled();

  // Nor can the run be deleted from under the first tab.
  await other.getByRole("button", { name: "Delete them" }).click();
  await expect(other.locator("#forget-error")).toContainText("open in another tab");
  await other.getByRole("button", { name: /^Delete the run/ }).click();
  await expect(other.locator("#keep-error")).toContainText("open in another tab");

  await page.close();
  await expect(second.notices).toHaveCount(0);
  await expect(remove).toBeEnabled();
  await remove.click();
  await expect(other.locator("#count-edited")).toHaveText("1");
});

test("a second tab can show a run that is still going on in the first", async ({ page, context }) => {
  const first = await Studio.open(page, "device=cpu&rows=psi&seeds=2&test=7&epochs=1&instances=400");
  await first.play.click();
  await first.expectStage("Instances");
  const other = await context.newPage();
  const second = await Studio.open(other, "device=cpu");
  await other.locator("#stored summary").click();
  await other.getByRole("button", { name: /^Show the run/ }).click();
  await expect(second.notices).toHaveText(/open in another tab/);
  await expect(other.locator("#principles-box li")).not.toHaveCount(0);
  await first.stop.click();
  await first.expectPhase("stopped", 5000);
  expect(second.errors).toEqual([]);
});
