import { expect, SHORT, Studio, test } from "./studio";

test("a run is kept in the browser's storage, survives a reload, and can be deleted", async ({ page }) => {
  const studio = await Studio.open(page, `device=cpu&${SHORT}`);
  await studio.run();
  await expect(page.locator("#kept")).toContainText("1 run stored in this browser");
  await page.reload();
  await expect(studio.play).toBeEnabled({ timeout: 120_000 });
  await expect(page.locator("#kept")).toContainText("1 run stored in this browser");

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
    "events.jsonl",
    "instances.jsonl",
    "report.json",
    "seeds.jsonl",
    "task.json",
    "test.jsonl",
  ]);
  expect(Object.values(files).every((size) => size > 0)).toBe(true);

  await studio.run();
  await expect(studio.bars).toHaveCount(4);
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
