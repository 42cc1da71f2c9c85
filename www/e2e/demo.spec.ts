import { readFile } from "node:fs/promises";
import type { Download, Page } from "@playwright/test";
import { expect, foreign, recordRequests, SHORT, Studio, test } from "./studio";

async function content(download: Download): Promise<Buffer> {
  return readFile(await download.path());
}

async function downloadOf(page: Page, button: string): Promise<Download> {
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: button }).click(),
  ]);
  return download;
}

/** What a whole run must show, whatever the device. */
async function expectWholeRun(studio: Studio, rows = 4): Promise<void> {
  await expect(studio.bars).toHaveCount(rows);
  await expect(studio.verdict).toContainText(/PSI (beat|did not beat|and seeds only came out alike)/);
  await expect(studio.page.locator("#principles-box li")).not.toHaveCount(0);
  await expect(studio.instances).not.toHaveCount(0);
  await expect(studio.page.locator("#confusion-table tbody tr")).toHaveCount(7);
  await expect(studio.page.locator("#bytes-left")).toHaveText("0 bytes");
  await expect(studio.page.locator("#training-numbers dd").nth(2)).toHaveText(/^\d+\.\d{3}$/);
}

async function expectDownloads(page: Page): Promise<void> {
  const adapter = await downloadOf(page, "Adapter");
  expect(adapter.suggestedFilename()).toBe("seedbed-snips-intent-adapter.zip");
  const zip = await content(adapter);
  expect(zip.subarray(0, 2).toString()).toBe("PK");
  expect(zip.includes("adapter_config.json")).toBe(true);
  expect(zip.includes("adapter_model.safetensors")).toBe(true);

  const instances = await downloadOf(page, "Instances");
  expect(instances.suggestedFilename()).toBe("seedbed-snips-intent-instances.jsonl");
  const rows = (await content(instances)).toString().trim().split("\n");
  expect(rows.length).toBeGreaterThan(0);
  for (const row of rows) {
    expect(JSON.parse(row)).toHaveProperty("text");
  }
}

async function expectTry(page: Page): Promise<void> {
  await page.getByLabel("Text to label").fill("play some jazz on spotify");
  await page.getByRole("button", { name: "Ask" }).click();
  await expect(page.locator("#try-answer section")).toHaveCount(2);
  for (const side of [0, 1]) {
    const shares = await page.locator("#try-answer section").nth(side).locator(".label-count").allTextContents();
    expect(shares).toHaveLength(7);
    const sum = shares.reduce((total, share) => total + Number.parseFloat(share), 0);
    expect(sum).toBeGreaterThan(99);
    expect(sum).toBeLessThan(101);
  }
}

test("the demo runs to the end on WebGPU, and every request stays on the page's own origin", async ({ page, context, baseURL }) => {
  const requests = recordRequests(context);
  // All stages, but one writing row of the two: WebGPU in software takes minutes for each.
  const studio = await Studio.open(page, `device=webgpu&rows=untouched,seeds_only,psi&${SHORT}`);
  await expect(studio.device).toHaveAttribute("data-device", "webgpu");
  await studio.run();
  await expectWholeRun(studio, 3);
  await expectTry(page);
  await expectDownloads(page);

  // The worker's own requests are among those seen, or the next line would prove nothing.
  expect(requests.some((address) => address.endsWith(".wasm"))).toBe(true);
  expect(requests.some((address) => address.endsWith("/model.safetensors"))).toBe(true);
  expect(foreign(requests, baseURL ?? "")).toEqual([]);
  expect(studio.errors).toEqual([]);
});

test("the demo runs to the end on the CPU", async ({ page, context, baseURL }) => {
  const requests = recordRequests(context);
  const studio = await Studio.open(page, `device=cpu&${SHORT}`);
  await expect(studio.device).toHaveAttribute("data-device", "cpu");
  await expect(studio.notices).toHaveCount(0);
  await studio.run();
  await expectWholeRun(studio);
  await expectTry(page);
  await expectDownloads(page);
  expect(foreign(requests, baseURL ?? "")).toEqual([]);
  expect(studio.errors).toEqual([]);
});

test("only the engine of the chosen device is fetched", async ({ page, context }) => {
  const requests = recordRequests(context);
  await Studio.open(page, "device=cpu");
  // The service worker may ask for it once more, to keep it.
  expect(new Set(requests.filter((address) => address.endsWith(".wasm"))).size).toBe(1);
});

test("the address fills in the settings and follows them", async ({ page }) => {
  await Studio.open(page, "device=cpu&task=clinc_domain&instances=33&epochs=2&test=44&seed=5&rows=untouched,psi");
  await expect(page.getByRole("radio", { name: /CLINC/ })).toBeChecked();
  await expect(page.getByLabel("Instances", { exact: true })).toHaveValue("33");
  await expect(page.getByLabel("Epochs")).toHaveValue("2");
  await expect(page.getByLabel("Test rows, at most")).toHaveValue("44");
  await expect(page.getByLabel("Random seed")).toHaveValue("5");
  await expect(page.getByLabel("Seeds only")).not.toBeChecked();
  await page.getByLabel("Instances", { exact: true }).fill("34");
  await expect(page).toHaveURL(/instances=34/);
});

test("instances can be filtered by what became of them", async ({ page }) => {
  const studio = await Studio.open(page, `device=cpu&rows=untouched,psi&${SHORT}`);
  await studio.run();
  const all = Number(await page.locator("#count-all").textContent());
  const accepted = Number(await page.locator("#count-accepted").textContent());
  const refused = Number(await page.locator("#count-refused").textContent());
  expect(all).toBeGreaterThan(0);
  expect(accepted + refused).toBe(all);
  await page.getByRole("radio", { name: "Accepted" }).check();
  await expect(studio.instances).toHaveCount(Math.min(300, accepted));
  await page.getByRole("radio", { name: "Refused" }).check();
  await expect(studio.instances).toHaveCount(Math.min(300, refused));
  const reasons = await studio.instances.locator(".outcome").allTextContents();
  expect(reasons.filter((reason) => !/^refused: \S/.test(reason))).toEqual([]);
});
