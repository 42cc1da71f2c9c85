import { expect, SHORT, Studio, test, withoutPace } from "./studio";

/** How many changes the stored run holds. */
async function keptEdits(): Promise<number> {
  const runs = await (await navigator.storage.getDirectory()).getDirectoryHandle("runs");
  for await (const run of runs.values()) {
    const file = await (run as FileSystemDirectoryHandle).getFileHandle("edits.json").catch(() => null);
    const text = (await (await file?.getFile())?.text()) ?? "";
    return text === "" ? 0 : (JSON.parse(text) as unknown[]).length;
  }
  return 0;
}

test("a run is kept in the browser's storage, is shown again after a reload, and can be deleted", async ({ page }) => {
  const studio = await Studio.open(page, `device=cpu&rows=untouched,psi&${SHORT}`);
  await studio.run();
  await expect(page.locator("#kept")).toContainText("1 run stored in this browser");
  await studio.instances.first().getByRole("button", { name: "Details" }).click();
  await studio.instances.first().getByRole("button", { name: "Delete" }).click();
  const places = ["#principles-box", "#instances-list", "#training-numbers", "#result-table", "#verdict", "#confusion-table"];
  const shown = () => Promise.all(places.map(async (place) => withoutPace(await page.locator(place).innerText())));
  const before = await shown();
  // The worker writes it as soon as it hears of it; a tab that is closed in that very moment loses this last step.
  await expect.poll(() => page.evaluate(keptEdits)).toBe(1);
  await page.reload();
  await studio.expectPhase("finished", 120_000);
  await expect(page.locator("#stage-words")).toHaveText("Brought back from this browser's storage.");
  await expect(page.locator("#kept")).toContainText("1 run stored in this browser");
  await expect(page.locator("#count-edited")).toHaveText("1");
  expect(await shown()).toEqual(before);
  await expect(page.getByRole("button", { name: "Adapter" })).toBeEnabled();
  await expect(studio.play).toBeEnabled();
  await page.getByRole("button", { name: "Draw the map" }).click();
  await expect(page.locator("#map-box svg")).toBeVisible();
  await expect(page.getByRole("button", { name: "Ask", exact: true })).toBeEnabled();

  const files = await page.evaluate(async () => {
    const runs = await (await navigator.storage.getDirectory()).getDirectoryHandle("runs");
    const sizes: Record<string, number> = {};
    for await (const run of runs.values()) {
      for await (const file of (run as FileSystemDirectoryHandle).values()) {
        sizes[file.name] = (await (file as FileSystemFileHandle).getFile()).size;
      }
    }
    return sizes;
  });
  expect(Object.keys(files).sort()).toEqual([
    "adapter_config.json",
    "adapter_model.safetensors",
    "edits.json",
    "events.jsonl",
    "instances.jsonl",
    "options.json",
    "report.json",
    "seeds.jsonl",
    "settings.txt",
    "task.json",
    "test.jsonl",
  ]);
  expect(Object.values(files).every((size) => size > 0)).toBe(true);

  // A second run stands beside the first, and either can be shown or deleted.
  await page.locator("#set-rows").getByLabel("PSI").uncheck();
  await studio.run();
  await expect(studio.bars).toHaveCount(1);
  await page.locator("#stored summary").click();
  const runs = page.locator("#stored-runs li");
  await expect(runs).toHaveCount(2);
  // Two of them can be laid side by side.
  const compared = page.locator("#compared");
  await runs.nth(0).getByRole("checkbox").check();
  await expect(compared).toContainText("Tick another run");
  await runs.nth(1).getByRole("checkbox").check();
  await expect(compared.locator("thead th")).toHaveCount(2);
  await expect(compared.locator("tr", { hasText: "Untouched" }).locator("td")).toHaveText([/^\d+\.\d\s%/, /^\d+\.\d\s%/]);
  await expect(compared.locator("tr", { hasText: "PSI" }).locator("td").filter({ hasText: "–" })).toHaveCount(1);
  await runs.nth(1).getByRole("button", { name: /^Show/ }).click();
  await expect(studio.bars).toHaveCount(2);
  await runs.nth(0).getByRole("button", { name: /^Delete/ }).click();
  await expect(runs).toHaveCount(1);
  await expect(page.locator("#kept")).toContainText("1 run stored in this browser");
  await page.getByRole("button", { name: "Delete them" }).click();
  await expect(page.locator("#kept")).toHaveText("No runs stored in this browser.");
});

test("a full storage is said in one line, and the run finishes in memory", async ({ page, context }) => {
  const studio = await Studio.open(page, `device=cpu&${SHORT}`);
  const devtools = await context.newCDPSession(page);
  await devtools.send("Storage.overrideQuotaForOrigin", { origin: new URL(page.url()).origin, quotaSize: 4096 });
  await studio.run();
  await expect(studio.notices).toHaveCount(1);
  await expect(studio.notices).toHaveText(/storage .*full.*kept in memory only/);
  await expect(studio.bars).toHaveCount(4);
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Adapter" }).click(),
  ]);
  expect(download.suggestedFilename()).toMatch(/\.zip$/);
  expect(studio.errors).toEqual([]);
});
