import { expect, SHORT, Studio, test } from "./studio";

test.use({ webgpu: false });

test("without WebGPU the page says so plainly and the demo runs on the CPU", async ({ page }) => {
  const studio = await Studio.open(page, SHORT);
  await expect(studio.notices).toHaveText(/^This browser offers no WebGPU, so the model runs on the CPU\./);
  await expect(studio.device).toHaveAttribute("data-device", "cpu");
  await studio.run();
  await expect(studio.bars).toHaveCount(4);
  expect(studio.errors).toEqual([]);
});

test("asking for WebGPU where there is none gives the CPU and says why", async ({ page }) => {
  const studio = await Studio.open(page, "device=webgpu");
  await expect(studio.notices).toHaveText(/no WebGPU/);
  await expect(studio.device).toHaveAttribute("data-device", "cpu");
});
