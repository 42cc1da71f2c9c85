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

  // The test rows behind the cells are as many as the cells count.
  let counted = 0;
  let shown = 0;
  for (let cell = 0; cell < 49; cell += 1) {
    await cells.nth(cell).click();
    counted += Number((await cells.nth(cell).textContent())?.replace("·", "0"));
    shown += await detail.locator(".examples li").count();
  }
  expect(counted).toBe(7);
  expect(shown).toBe(counted);
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
