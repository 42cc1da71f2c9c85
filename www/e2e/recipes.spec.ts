/** The other two recipes on the page: chosen, run to the end, with what is theirs alone. */
import { expect, SHORT, Studio, test } from "./studio";

test("LANCE is chosen on the page, runs to the end and shows its rounds, reviews and preferences", async ({ page }) => {
  const studio = await Studio.open(page, "device=cpu&seeds=4&instances=12&test=14&epochs=1");
  await page.getByRole("radio", { name: /^LANCE/ }).check();
  await expect(page).toHaveURL(/recipe=lance/);
  await expect(page.locator("#teacher-lead")).toContainText("LANCE has no teacher");
  await expect(page.locator("#steps li")).toHaveText(["Warm-up", "Review", "Instances", "Training", "Preferences", "Measuring"]);
  await studio.run();
  await expect(studio.bars).toHaveCount(4);
  await expect(studio.verdict).toContainText(/LANCE (beat|did not beat|and seeds only came out alike)/);
  const rounds = page.locator("#rounds-table tbody tr");
  await expect(rounds).toHaveCount(3);
  await expect(rounds.filter({ hasText: "chosen" })).toHaveCount(1);
  await page.locator("#rounds-round").selectOption("0");
  await expect(page.locator("#rounds-detail-title")).toHaveText("At the start: what was reviewed");
  await expect(page.locator("#rounds-detail li")).not.toHaveCount(0);
  await expect(page.locator("#rounds-labels tbody tr")).toHaveCount(7);
  expect(studio.errors).toEqual([]);
});

test("EvoKD is chosen by address, runs to the end and shows the weakness card of each round", async ({ page }) => {
  const studio = await Studio.open(page, "device=cpu&recipe=evokd&rounds=2&rows=seeds_only,evokd&seeds=2&instances=12&test=14&epochs=1");
  await expect(page.getByRole("radio", { name: /^EvoKD/ })).toBeChecked();
  await expect(page.getByLabel("Rounds")).toHaveValue("2");
  await studio.run();
  await expect(studio.bars).toHaveCount(2);
  await expect(page.locator("#rounds-table tbody tr")).toHaveCount(2);
  await page.locator("#rounds-round").selectOption("1");
  const detail = page.locator("#rounds-detail");
  await expect(page.locator("#rounds-detail-title")).toHaveText("Round 1: the weakness card");
  await expect(detail).toContainText(/\d+ of \d+ rows wrong/);
  await expect(detail.locator("tbody tr")).toHaveCount(7);
  // What the two kinds add up to is what the round was to write: half of the twelve.
  const wanted = await detail.locator("tbody td:nth-of-type(3), tbody td:nth-of-type(4)").allTextContents();
  expect(wanted.reduce((sum, text) => sum + Number(text), 0)).toBe(6);
  expect(studio.errors).toEqual([]);
});

test("switches and knobs go by the recipe, say what they are and may be, and reach the engine", async ({ page }) => {
  const studio = await Studio.open(page, `device=cpu&rows=untouched,psi&${SHORT}&ablate=no_filter&temperature=0.7`);
  await expect(page.getByLabel("No filter")).toBeChecked();
  await expect(page.getByLabel("No filter")).toHaveAccessibleDescription("PSI that keeps whatever is written.");
  const temperature = page.getByLabel("Temperature", { exact: true });
  await expect(temperature).toHaveValue("0.7");
  await expect(page.getByLabel("Judge")).toHaveCount(0);
  await expect(page.locator("#knob-temperature")).toContainText("above 1 more various");

  await temperature.fill("11");
  await expect(page.locator("#settings-error")).toHaveText("Temperature: a number from 0 to 10, please.");
  await temperature.fill("0");
  await expect(page.locator("#settings-error")).toBeHidden();
  await expect(page).toHaveURL(/ablate=no_filter&temperature=0$/);

  await studio.run();
  // Without the filter nothing is refused.
  await expect(page.locator("#count-all")).not.toHaveText("0");
  await expect(page.locator("#count-refused")).toHaveText("0");
  expect(studio.errors).toEqual([]);
});

test("another recipe brings its own rows and leaves the others' switches and knobs behind", async ({ page }) => {
  await Studio.open(page, "device=cpu&rows=psi&ablate=no_filter&rules=1&seed_weight=3");
  await page.getByRole("radio", { name: /^EvoKD/ }).check();
  await expect(page).toHaveURL(/\?device=cpu&recipe=evokd$/);
  await expect(page.locator("#set-rows label")).toHaveText(["Untouched", "Seeds only", "All seeds", "In one go", "EvoKD"]);
  await expect(page.locator("#set-switches input:checked")).toHaveCount(0);
});

test("a text that is watched is answered as each student learns, from before its first step to after its last", async ({ page }) => {
  const studio = await Studio.open(page, `device=cpu&rows=seeds_only&${SHORT}`);
  const wish = "wake me with some jazz";
  await page.getByLabel("Watch a text of yours").fill(wish);
  await expect(page).not.toHaveURL(/jazz/);
  await studio.run();
  await expect(page.locator("#samples p")).toHaveText(`“${wish}”`);
  const answers = page.locator("#samples li", { hasText: "Seeds only" }).locator("span");
  expect(await answers.count()).toBeGreaterThan(1);
  await expect(answers.first()).toHaveAttribute("title", "after 0 steps");
  await expect(answers.last()).toHaveText(/^\w+ \d+\s%$/);
});
