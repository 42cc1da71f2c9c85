/** Tasks whose answers are entities, or words: bundled ones and one's own. */
import { expect, Studio, test } from "./studio";

const CONLL = `fly O
to O
New B-city
York I-city
today B-time

back O
to O
Rome B-city
`;

test("CoNLL is pasted, marked in a table, checked, and read by the engine", async ({ page }) => {
  const studio = await Studio.open(page, "device=cpu&task=own");
  await page.getByRole("radio", { name: "Entities in a text" }).check();
  await studio.seeds.fill(CONLL);
  await expect(page.locator("#task-summary")).toContainText("2 types");
  await expect(page.locator("#own-checks")).toContainText("Balanced: 1 to 2 entities for each of 2 types.");
  await page.getByRole("radio", { name: "Table", exact: true }).check();
  const rows = page.locator("#own-grid tbody textarea");
  await expect(rows).toHaveCount(2);
  await expect(rows.first()).toHaveValue("fly to [New York](city) [today](time)");

  // A mark that is typed is an entity, whose place counts characters and not the halves of an emoji.
  await rows.nth(1).fill("🛫 back to [Rome](city) [on Monday](time)");
  await expect(page.locator("#own-checks")).toContainText("Balanced: 2 entities for each of 2 types.");
  await page.getByRole("radio", { name: "Text", exact: true }).check();
  const lines = (await studio.seeds.inputValue()).split("\n").map((line) => JSON.parse(line) as { text: string; entities: { start: number; end: number; label: string }[] });
  expect(lines[1]).toEqual({
    text: "🛫 back to Rome on Monday",
    entities: [
      { start: 10, end: 14, label: "city" },
      { start: 15, end: 24, label: "time" },
    ],
  });
  await expect(studio.taskError).toBeHidden();
  await expect(page.locator("#task-summary")).toContainText("2 seeds");
  expect(studio.errors).toEqual([]);
});

test("a task of entities runs to the end: they are marked where they stand, counted, measured and found in one's own text", async ({ page }) => {
  const studio = await Studio.open(page, "device=cpu&task=snips_playlist&rows=untouched,seeds_only,psi&instances=2&test=14&epochs=2&ablate=no_filter");
  await studio.run();
  await expect(studio.bars).toHaveCount(3);
  await expect(page.locator("#result-table thead")).toContainText("Entity F1");
  await expect(page.locator("#result-table thead")).toContainText("Recall");
  await expect(page.locator("#confusion-table tbody th").last()).toContainText("no entity");
  await expect(page.locator("#confusion-words")).toContainText("Entities are counted");
  // What is watched is the text, not its marks.
  await expect(page.locator("#samples p")).not.toContainText("](");
  const row = studio.instances.first();
  await row.getByRole("button", { name: "Details" }).click();
  await row.getByLabel("Wording, entities as").fill("add it to [Summer Hits](playlist)");
  await row.getByRole("button", { name: "Save" }).click();
  await expect(row.locator("mark.entity")).toHaveText("Summer Hitsplaylist");
  await page.getByLabel("Text to label").fill("add this song to my Summer Hits playlist");
  await page.getByRole("button", { name: "Ask", exact: true }).click();
  await expect(page.locator("#try-answer .said")).toHaveCount(2);
  await expect(page.locator("#try-answer .said").last()).toContainText("add this song to my");
  expect(studio.errors).toEqual([]);
});

test("a task of questions runs to the end: each has its answer below it, and one's own is answered", async ({ page }) => {
  const studio = await Studio.open(page, "device=cpu&task=snips_which_playlist&rows=seeds_only,psi&instances=2&test=14&epochs=2&ablate=no_filter");
  await studio.run();
  await expect(studio.bars).toHaveCount(2);
  await expect(page.locator("#result-table thead")).toContainText("Exact match");
  await expect(page.locator("#result-table thead")).toContainText("F1 of words");
  await expect(studio.instances).not.toHaveCount(0);
  await page.getByLabel("Text to label").fill("add this song to my Summer Hits playlist");
  await page.getByLabel("The passage it is about").fill("The playlist is called Summer Hits.");
  await page.getByRole("button", { name: "Ask", exact: true }).click();
  await expect(page.locator("#try-answer .said")).toHaveCount(2);
  expect(studio.errors).toEqual([]);
});

test("questions of one's own are a table of questions and answers, whatever their fields are called", async ({ page }) => {
  const studio = await Studio.open(page, "device=cpu&task=own");
  await page.getByRole("radio", { name: "An answer in words", exact: true }).check();
  await studio.seeds.fill('{"question": "2 and 2?", "answer": 4, "context": "sums"}\n{"input": "3 and 3?", "output": ["6", "six"]}');
  await expect(page.locator("#task-summary")).toContainText("2 seeds");
  await page.getByRole("radio", { name: "Table", exact: true }).check();
  const answers = page.locator("#own-grid tbody input");
  await expect(answers.first()).toHaveValue("4");
  await expect(answers.nth(1)).toHaveValue("6");
  await answers.first().fill("four");
  await page.getByRole("radio", { name: "Text", exact: true }).check();
  expect((await studio.seeds.inputValue()).split("\n")[0]).toBe('{"question":"2 and 2?","answer":"four","context":"sums"}');
  expect(studio.errors).toEqual([]);
});

test("instructions run to the end, measured by a token's probability; EvoKD says what can be done instead", async ({ page }) => {
  const studio = await Studio.open(page, "device=cpu&task=own&rows=untouched,seeds_only,psi&instances=2&epochs=2&ablate=no_filter");
  await page.getByRole("radio", { name: "A free response", exact: true }).check();
  const things = ["bread", "milk", "pans", "boots", "rugs", "knives", "herbs", "lamps"];
  await studio.seeds.fill(things.map((thing) => JSON.stringify({ prompt: `How do I keep my ${thing} in order?`, completion: `Look at the ${thing} once a week, and put them where it is dry.` })).join("\n"));
  await expect(page.locator("#task-summary")).toContainText("8 seeds · free responses");
  await page.getByRole("radio", { name: "Table", exact: true }).check();
  await expect(page.locator("#own-grid thead")).toContainText("Response");
  await expect(page.locator("#own-grid tbody input").first()).toHaveValue("Look at the bread once a week, and put them where it is dry.");
  await page.getByRole("radio", { name: "Text", exact: true }).check();
  await studio.run();
  await expect(studio.bars).toHaveCount(3);
  const table = page.locator("#result-table");
  await expect(table.locator("thead")).toContainText("Token probability");
  await expect(table.locator("thead")).toContainText("Perplexity");
  for (const row of await table.locator("tbody tr").all()) {
    // Probability, interval, loss, perplexity, and both rows that are held out.
    await expect(row.locator("td").nth(2)).toHaveText(/^\d\.\d{3}$/);
    await expect(row.locator("td").nth(4)).toHaveText("2");
  }
  await expect(page.locator("#confusion-words")).toContainText("Free responses are all of one group");
  await page.getByLabel("Text to label").fill("How do I keep my books in order?");
  await page.getByRole("button", { name: "Ask", exact: true }).click();
  await expect(page.locator("#try-answer .said")).toHaveCount(2);
  // A conversation has no two cells, but the engine reads it.
  const talk = { messages: [{ role: "user", content: "How do I dry a coat?" }, { role: "assistant", content: "Hang it up." }] };
  await studio.seeds.fill(`${await studio.seeds.inputValue()}\n${JSON.stringify(talk)}`);
  await expect(page.locator("#task-summary")).toContainText("9 seeds");
  await page.getByRole("radio", { name: "EvoKD" }).check();
  await studio.play.click();
  await expect(page.locator("body")).toContainText("use lance or psi");
  expect(studio.errors).toEqual([]);
});
