import { expect, SHORT, Studio, test } from "./studio";

test("a cell of the confusion matrix says what each row does there, by mouse and by arrow keys", async ({ page }) => {
  const studio = await Studio.open(page, `device=cpu&rows=untouched,seeds_only&${SHORT}`);
  await studio.run();
  const cells = page.locator("#confusion-table td");
  await expect(cells).toHaveCount(49);
  const detail = page.locator("#confusion-detail");
  await expect(detail).toContainText("Choose a cell");

  await cells.nth(1).click();
  await expect(cells.nth(1)).toHaveAttribute("aria-selected", "true");
  await expect(detail.locator("li")).toHaveCount(2);
  const names = await page.locator("#confusion-table tbody th").allTextContents();
  await expect(detail.locator(".pair")).toHaveText(`${names[0]?.slice(1)} taken for ${names[1]?.slice(1)}`);

  await page.keyboard.press("ArrowLeft");
  await expect(cells.nth(0)).toBeFocused();
  await expect(detail.locator(".pair")).toContainText("answered rightly");
  await page.keyboard.press("ArrowUp");
  await expect(cells.nth(0)).toBeFocused();
  await page.keyboard.press("End");
  await page.keyboard.press("PageDown");
  await expect(cells.nth(48)).toBeFocused();
  // One stop of the Tab key for the whole grid.
  await expect(page.locator('#confusion-table td[tabindex="0"]')).toHaveCount(1);

  // What the counts are made of is asked of the student itself.
  await page.locator("#confusion-table tbody tr").first().locator("td").first().click();
  await page.getByRole("button", { name: "Show examples" }).click();
  await expect(detail.locator(".examples .help")).toHaveText(/^\d+ among \d+ test rows of this label/, { timeout: 120_000 });
  await cells.nth(48).click();

  // The chosen cell stays when another row is shown.
  await page.locator("#confusion-row").selectOption("Untouched");
  await expect(cells.nth(48)).toHaveAttribute("aria-selected", "true");
});

test("what changed label by label adds up to what the rows got right", async ({ page }) => {
  const studio = await Studio.open(page, `device=cpu&rows=untouched,seeds_only&${SHORT}`);
  await expect(page.locator("#changes-table")).toContainText("Two measured rows");
  await studio.run();
  const rows = page.locator("#changes-table tbody tr");
  await expect(rows).toHaveCount(7);
  const column = async (index: number) => {
    const texts = await rows.locator(`td:nth-of-type(${index})`).allTextContents();
    return texts.reduce((sum, text) => sum + Number(text), 0);
  };
  const n = await column(4);
  const accuracies = await page.locator("#result-table tbody tr td:nth-of-type(1)").allTextContents();
  expect(n).toBe(7);
  expect(((await column(1)) / n) * 100).toBeCloseTo(Number.parseFloat(accuracies[0] ?? ""), 0);
  expect(((await column(2)) / n) * 100).toBeCloseTo(Number.parseFloat(accuracies[1] ?? ""), 0);
  await expect(page.locator("#changes-words")).toContainText("From Untouched to Seeds only");
});
