/** The whole model as a download: the base with the adapter in its weights. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, Studio, test } from "./studio";

test.use({ webgpu: false });

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

test("the whole model can be taken along: the base's own tensors, those that were learnt on changed", async ({ page }) => {
  const studio = await Studio.open(page, "device=cpu&rows=seeds_only&seeds=2&test=7&epochs=1");
  const button = page.getByRole("button", { name: "Whole model" });
  await expect(button).toBeDisabled();
  await studio.run();
  const [download] = await Promise.all([page.waitForEvent("download"), button.click()]);
  expect(download.suggestedFilename()).toMatch(/model\.safetensors$/);
  const merged = tensors(readFileSync(await download.path()));
  const base = tensors(readFileSync(join(import.meta.dirname, "../../models/seedbed-3m/model.safetensors")));
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
