import { expect, SHORT, Studio, test } from "./studio";

const GOOD = ['{"text": "what a lovely day", "label": "happy"}', '{"text": "I lost my keys", "label": "sad"}'];

/** One line is shown where the error was caused, and the visitor's text is still there. */
async function expectOneLine(studio: Studio, seeds: string, line: RegExp): Promise<void> {
  await studio.chooseOwn(seeds);
  await expect(studio.taskError).toBeVisible();
  await expect(studio.taskError).toHaveText(line);
  expect(await studio.taskError.textContent()).not.toContain("\n");
  await studio.play.click();
  await expect(studio.taskError).toHaveText(line);
  expect(await studio.seeds.inputValue()).toBe(seeds);
  await studio.expectPhase("idle", 5000);
  expect(studio.errors).toEqual([]);
}

test("a line that is not JSON is named by its number", async ({ page }) => {
  const studio = await Studio.open(page, "device=cpu");
  await expectOneLine(studio, [GOOD[0], '{"text": "no end', GOOD[1]].join("\n"), /line 2\b/);
});

test("a line that is neither JSON, CSV nor tabbed is named by its number", async ({ page }) => {
  const studio = await Studio.open(page, "device=cpu");
  await expectOneLine(studio, "\nhappy: what a lovely day", /line 2\b/);
});

test("a CSV row without its label is named by its number", async ({ page }) => {
  const studio = await Studio.open(page, "device=cpu");
  await expectOneLine(studio, 'text,label\n"one, two",happy\nthree', /line 3\b/);
});

test("a label that the seeds do not know is named", async ({ page }) => {
  const studio = await Studio.open(page, "device=cpu");
  await studio.chooseOwn(GOOD.join("\n"));
  await page.getByText("Test rows of your own").click();
  await page.getByLabel("Test rows, in the same form").fill('{"text": "hm", "label": "puzzled"}');
  await expect(studio.taskError).toHaveText(/puzzled/);
  expect(await studio.seeds.inputValue()).toBe(GOOD.join("\n"));
});

test("a single seed is not enough, and the page says so", async ({ page }) => {
  const studio = await Studio.open(page, "device=cpu");
  await expectOneLine(studio, GOOD[0] ?? "", /only one seed/);
});

test("no seed at all is said in one line when Play is pressed", async ({ page }) => {
  const studio = await Studio.open(page, "device=cpu&task=own");
  await studio.play.click();
  await expect(studio.taskError).toHaveText(/no seeds yet/);
});

test("a seed of one megabyte is refused in one line", async ({ page }) => {
  const studio = await Studio.open(page, "device=cpu");
  const large = JSON.stringify({ text: "a ".repeat(500_000), label: "sad" });
  await expectOneLine(studio, [...GOOD, large].join("\n"), /line 3\b/);
});

test("a setting that cannot be is said where it stands", async ({ page }) => {
  const studio = await Studio.open(page, "device=cpu");
  await page.getByLabel("Instances", { exact: true }).fill("0");
  await expect(page.locator("#settings-error")).toHaveText("Instances: a whole number from 1 to 5,000, please.");
  await studio.play.click();
  await studio.expectPhase("idle", 5000);
  await page.getByLabel("Instances", { exact: true }).fill("14");
  await expect(page.locator("#settings-error")).toBeHidden();
});

for (const { form, join } of [
  { form: "CSV", join: (rows: string[][]) => ["label,text", ...rows.map(([label, text]) => `${label},"${text}"`)].join("\n") },
  { form: "tabbed lines", join: (rows: string[][]) => rows.map((row) => row.join("\t")).join("\n") },
]) {
  test(`own seeds as ${form} are counted by label and can be learnt`, async ({ page }) => {
    const studio = await Studio.open(page, `device=cpu&rows=untouched,seeds_only&${SHORT}`);
    const rows = ["lovely day", "great news", "so glad", "what joy", "best ever", "hooray"].flatMap((text, index) => [
      ["happy", `${text}, indeed`],
      ["sad", `awful thing number ${index}, alas`],
    ]);
    await studio.chooseOwn(join(rows));
    await expect(page.locator("#task-summary li")).toHaveCount(2);
    await expect(page.locator("#task-summary .label-count")).toHaveText(["6", "6"]);
    await expect(page.locator("#own-split")).toContainText("a quarter of the seeds is held out");
    await studio.run();
    await expect(studio.bars).toHaveCount(2);
    await expect(page.locator("#confusion-table tbody tr")).toHaveCount(2);
  });
}

test("markup in the data is shown as text", async ({ page }) => {
  const studio = await Studio.open(page, "device=cpu");
  const markup = '<img src=x onerror="document.title=1">';
  await studio.chooseOwn([JSON.stringify({ text: "a", label: markup }), GOOD[1]].join("\n"));
  await expect(page.locator("#task-summary")).toContainText(markup);
  await expect(page.locator("#task-summary img")).toHaveCount(0);
});
