import { expect, Studio, test } from "./studio";

const CSV = ["text,label", '"a lovely, sunny day",happy', "A lovely sunny day!,happy", "I lost my keys,sad", "it is a day,happy", "it is a day,sad"].join("\n");

test("seeds can be edited as a table, and the checks say what looks wrong with them", async ({ page }) => {
  const studio = await Studio.open(page, "device=cpu");
  await studio.chooseOwn(CSV);
  const checks = page.locator("#own-checks li");
  await expect(checks.filter({ hasText: "same words but different answers" })).toHaveCount(1);
  await expect(checks.filter({ hasText: "Balanced: 2 to 3 seeds" })).toHaveCount(1);

  await page.getByRole("radio", { name: "Table", exact: true }).check();
  const rows = page.locator("#own-grid tbody tr");
  await expect(rows).toHaveCount(5);
  await expect(rows.nth(0).locator("textarea")).toHaveValue("a lovely, sunny day");
  await expect(rows.nth(0).locator(".findings")).toHaveText("twice");
  await expect(rows.nth(3).locator(".findings")).toHaveText("two answers");

  // A row is reworded, one removed, one added; typing keeps the focus.
  await page.getByLabel("Words of row 1").fill("what joy");
  await expect(page.getByLabel("Words of row 1")).toBeFocused();
  await expect(rows.nth(1).locator(".findings")).toHaveText("");
  await page.getByRole("button", { name: "Remove row 5" }).click();
  await expect(rows).toHaveCount(4);
  await page.getByRole("button", { name: "Add a row" }).click();
  await expect(page.getByLabel("Words of row 5")).toBeFocused();
  await page.keyboard.type("all is lost");
  await page.getByLabel("Its label, row 5").fill("sad");
  await expect(checks.filter({ hasText: "No seed is there twice" })).toHaveCount(1);
  await expect(page.locator("#task-summary .label-count")).toHaveText(["3", "2"]);

  // A seed that stands in the test rows is found.
  await page.getByText("Test rows of your own").click();
  await page.getByLabel("Test rows, in the same form").fill("happy\tWhat joy?\nsad\tno");
  await expect(rows.nth(0).locator(".findings")).toHaveText("in the test");
  await expect(checks.filter({ hasText: "too good" })).toHaveCount(1);

  await page.getByRole("radio", { name: "Text", exact: true }).check();
  const lines = (await studio.seeds.inputValue()).split("\n").map((line) => JSON.parse(line) as unknown);
  expect(lines).toEqual([
    { text: "what joy", label: "happy" },
    { text: "A lovely sunny day!", label: "happy" },
    { text: "I lost my keys", label: "sad" },
    { text: "it is a day", label: "happy" },
    { text: "all is lost", label: "sad" },
  ]);
  expect(studio.errors).toEqual([]);
});

test("text that is no table says so, and stays as it is", async ({ page }) => {
  const studio = await Studio.open(page, "device=cpu");
  const text = '{"text": "a", "label": "x"}\n{"text": oops';
  await studio.chooseOwn(text);
  await page.getByRole("radio", { name: "Table", exact: true }).check();
  await expect(page.locator("#own-grid")).toContainText("Line 2 cannot be read");
  await page.getByRole("button", { name: "Add a row" }).click();
  await page.getByRole("radio", { name: "Text", exact: true }).check();
  expect(await studio.seeds.inputValue()).toBe(text);
});

test("a table of many seeds comes in pages", async ({ page }) => {
  const studio = await Studio.open(page, "device=cpu");
  await studio.chooseOwn(Array.from({ length: 60 }, (_, index) => `${index % 2 === 0 ? "even" : "odd"}\tnumber ${index}`).join("\n"));
  await page.getByRole("radio", { name: "Table", exact: true }).check();
  await expect(page.locator("#own-grid tbody tr")).toHaveCount(25);
  await page.getByRole("button", { name: "Next" }).click();
  await page.getByRole("button", { name: "Next" }).click();
  await expect(page.locator("#own-grid tbody tr")).toHaveCount(10);
  await expect(page.locator("#own-where")).toHaveText("51 to 60 of 60");
});
