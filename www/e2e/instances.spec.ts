import { readFile } from "node:fs/promises";
import { expect, SHORT, Studio, test } from "./studio";

test("an instance shows where it came from, and can be reworded, relabelled, deleted and brought back", async ({ page }) => {
  const studio = await Studio.open(page, `device=cpu&rows=psi&${SHORT}`);
  await studio.run();
  // Diversity is a number for each row that wrote something.
  const psi = page.locator('#diversity tr[data-row="psi"] td');
  await expect(psi.nth(0)).toHaveText((await page.locator("#count-accepted").textContent()) ?? "");
  await expect(psi.nth(1)).toHaveText(/^[01]\.\d{3}$/);
  await expect(psi.nth(2)).toHaveText(/^\d+\.\d\s%$/);
  await expect(page.locator("#diversity tbody tr")).toHaveCount(1);

  // Only of what was kept, and the reader decides what that is.
  const kept = page.locator('#instances-list > li[data-accepted="true"]').first();
  await kept.getByRole("button", { name: "Details" }).click();
  await expect(kept.locator(".provenance")).toContainText(/The reader agrees to\s*\d+\.\d\s%/);
  await kept.getByRole("button", { name: "Details" }).click();

  const all = await studio.instances.count();
  const row = studio.instances.first();
  await row.locator("p.text").click();
  await expect(row.locator(".provenance")).toContainText("seedbed-3m");
  await expect(row.locator(".provenance")).toContainText("PSI, round 1");
  await expect(row.locator(".from li")).not.toHaveCount(0);

  // Markup is text here too.
  const wording = '<img src=x onerror="document.title=1"> play it';
  await row.getByLabel("Wording").fill(wording);
  await row.getByLabel("Label of this one").selectOption({ index: 6 });
  const label = await row.getByLabel("Label of this one").inputValue();
  await row.getByRole("button", { name: "Save" }).click();
  await expect(row.locator("p.text")).toHaveText(wording);
  await expect(row.locator(".tag-label")).toHaveText(label);
  await expect(row.locator(".tag-edited")).toHaveText("edited by you");
  await expect(row.locator("img")).toHaveCount(0);
  await expect(row.getByRole("button", { name: "Details" })).toBeFocused();

  const second = studio.instances.nth(1);
  await second.getByRole("button", { name: "Details" }).press("Enter");
  await second.getByRole("button", { name: "Delete" }).click();
  await expect(second.locator(".tag-edited")).toHaveText("deleted by you");
  await expect(page.locator("#count-edited")).toHaveText("2");
  await expect(page.locator("#instances-note")).toContainText("1 one edited, 1 deleted");

  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Instances" }).click(),
  ]);
  const lines = (await readFile(await download.path())).toString().trim().split("\n").map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines).toHaveLength(all - 1);
  expect(lines.filter((line) => line["edited"] === true)).toEqual([expect.objectContaining({ text: wording, label })]);

  await page.getByRole("radio", { name: "Changed" }).check();
  await expect(studio.instances).toHaveCount(2);
  await studio.instances.nth(1).getByRole("button", { name: "Details" }).click();
  await studio.instances.nth(1).getByRole("button", { name: "Bring back" }).click();
  await expect(page.locator("#count-edited")).toHaveText("1");
  await page.getByRole("radio", { name: /^All/ }).check();
  await page.getByLabel("Find words in these").fill("ONERROR");
  await expect(studio.instances).toHaveCount(1);
  await page.getByLabel("Only this label").selectOption({ index: 1 });
  await expect(studio.instances).toHaveCount(0);
  expect(studio.errors).toEqual([]);
});
