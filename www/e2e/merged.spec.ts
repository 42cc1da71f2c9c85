/** The whole model as a download: the base with the adapter in its weights. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { unzipSync } from "fflate";
import { expect, Studio, test } from "./studio";

test.use({ webgpu: false });

interface FilePayload {
  name: string;
  mimeType: string;
  buffer: Buffer;
}

interface Tensor {
  dtype: string;
  shape: number[];
  bytes: Buffer;
}

/** The tensors of a safetensors file, by name. */
function tensors(file: Buffer): Map<string, Tensor> {
  const begin = 8 + Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.subarray(8, begin).toString()) as Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
  const entries = Object.entries(header).filter(([name]) => name !== "__metadata__");
  return new Map(entries.map(([name, { dtype, shape, data_offsets: [from, to] }]) => [name, { dtype, shape, bytes: file.subarray(begin + from, begin + to) }]));
}

/** The files of the zip that *Whole model* downloads. */
async function whole(page: Page): Promise<Map<string, Buffer>> {
  const button = page.getByRole("button", { name: "Whole model" });
  const [download] = await Promise.all([page.waitForEvent("download"), button.click()]);
  expect(download.suggestedFilename()).toMatch(/model\.zip$/);
  const files = Object.entries(unzipSync(readFileSync(await download.path())));
  return new Map(files.map(([name, bytes]) => [name, Buffer.from(bytes)]));
}

const RUN = "device=cpu&rows=seeds_only&seeds=2&test=7&epochs=1";

test("the whole model can be taken along: the base's own tensors, those that were learnt on changed", async ({ page }) => {
  const studio = await Studio.open(page, RUN);
  await expect(page.getByRole("button", { name: "Whole model" })).toBeDisabled();
  await studio.run();
  const files = await whole(page);
  const folder = join(import.meta.dirname, "../../models/seedbed-3m");
  for (const name of ["config.json", "tokenizer.json"]) {
    expect(files.get(name)?.equals(readFileSync(join(folder, name))), name).toBe(true);
  }
  const merged = tensors(files.get("model.safetensors") ?? Buffer.alloc(8));
  const base = tensors(readFileSync(join(folder, "model.safetensors")));
  expect([...merged.keys()].sort()).toEqual([...base.keys()].sort());
  for (const [name, { dtype, shape, bytes }] of base) {
    const found = merged.get(name);
    expect([found?.dtype, found?.shape], name).toEqual([dtype, shape]);
    // The adapter stands beside the seven projections of every layer, and beside nothing else.
    expect(found?.bytes.equals(bytes), name).toBe(!name.includes("_proj"));
  }
  await expect(page.locator("#keep-error")).toBeHidden();
  expect(studio.errors).toEqual([]);
});

test("a whole model out of a GGUF file is a folder that the page takes as a model", async ({ page }) => {
  const studio = await Studio.open(page, RUN);
  const chosen = page.locator("#models-list > li").filter({ hasNotText: "seedbed-" }).getByRole("radio", { checked: true });
  const choose = async (files: FilePayload[], name: RegExp) => {
    await page.locator("#models-file-input").setInputFiles(files);
    await page.getByRole("button", { name: "Copy and use" }).click();
    // A run that is started before would be one of the model before.
    await expect(chosen).toHaveAccessibleName(name);
  };
  const payload = (name: string, buffer: Buffer): FilePayload => ({ name, mimeType: "application/octet-stream", buffer });
  await page.getByText("Use another model").click();
  const gguf = join(import.meta.dirname, "../../tests/fixtures/tiny-llama-1m/gguf/model-q4_0.gguf");
  await choose([payload("model-q4_0.gguf", readFileSync(gguf))], /model-q4_0/);
  await studio.run();
  // Whatever is chosen for the next run: it is this run's model that its adapter belongs to.
  await page.locator("#models-list").getByRole("radio", { name: "seedbed-3m" }).check();
  const files = await whole(page);
  expect([...files.keys()].sort()).toEqual(["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]);
  const kinds = [...tensors(files.get("model.safetensors") ?? Buffer.alloc(8))].map(([name, { dtype }]) => [name.includes("_proj"), dtype] as const);
  expect(kinds.filter(([projection]) => projection).every(([, dtype]) => dtype === "F16")).toBe(true);
  await choose([...files].map(([name, bytes]) => payload(name, bytes)), /A model of your files/);
  await studio.run();
  await expect(page.locator("#keep-error")).toBeHidden();
  expect(studio.errors).toEqual([]);
});
