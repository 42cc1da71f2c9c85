/** What the rounds of a run made of its principles: which came, which went, which stayed. */
import { runFile, started } from "./large-run";
import { expect, expectNoBarrier, Studio, test } from "./studio";

const LABEL = "GetWeather";

function principle(id: string, level: string, text: string, label: string | null = null): object {
  return { type: "principle", principle: { id, level, label, text, polarity: "do", support: 0 } };
}

function weakness(round: number): object {
  const none = { wrong: 0, judged: 0 };
  return { type: "weakness", row: "evokd", round, card: { all: none, labels: [], confused: [], kinds: [], words: [] } };
}

const EVENTS = [
  started("evokd"),
  principle("t1", "task", "Write a short command."),
  principle("t2", "task", "Write in plain words."),
  principle("w1", "label", "Name a place.", LABEL),
  principle("w2", "label", "Name a day.", LABEL),
  principle("i1", "instance", "Vary the length."),
  weakness(1),
  weakness(2),
  // The teacher answers anew for one label: one rule stays, one goes, one comes. Of all else nothing was said.
  principle("round2/a", "label", "Name a day.", LABEL),
  principle("round2/b", "label", "Ask whether it will rain.", LABEL),
  weakness(3),
  principle("round3/a", "task", "Write a question."),
];

test("principles that went are shown beside those that came and stayed, in words, round by round", async ({ page }) => {
  const studio = await Studio.open(page, "device=cpu");
  await page.locator("#open-run-file").setInputFiles(runFile(EVENTS));
  const items = page.locator("#principles-box li");
  await expect(items).toHaveCount(7);
  await expect(page.locator("#principles-said")).toHaveText("Round 2: 1 new, 1 gone, 4 kept. Round 3: 1 new, 2 gone, 3 kept.");
  const line = (text: string) => items.filter({ hasText: text });
  await expect(line("Name a place.")).toContainText("gone in round 2");
  await expect(line("Name a place.").locator("s")).toHaveText("Name a place.");
  await expect(line("Ask whether")).toContainText("new in round 2");
  await expect(line("Name a day.")).not.toContainText("round");
  await expect(line("Write in plain words.")).toContainText("gone in round 3");

  const show = page.getByLabel("Principles to show");
  await show.selectOption({ label: "In use now" });
  await expect(items).toHaveCount(4);
  await expect(page.locator("#principles-box s")).toHaveCount(0);
  await show.selectOption({ label: "What round 3 changed" });
  await expect(items.locator(".tag-gone, .tag-new")).toHaveText(["gone in round 3", "gone in round 3", "new in round 3"]);
  await page.setViewportSize({ width: 360, height: 800 });
  await expectNoBarrier(page, 360);
  expect(studio.errors).toEqual([]);
});

test("a run whose principles stay as they are shows nothing of rounds", async ({ page }) => {
  await Studio.open(page, "device=cpu");
  await page.locator("#open-run-file").setInputFiles(runFile([started("psi"), principle("t1", "task", "Write a short command.")]));
  await expect(page.locator("#principles-box li")).toHaveCount(1);
  await expect(page.locator("#principles-rounds")).toBeHidden();
});
