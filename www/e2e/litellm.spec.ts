/**
 * A real OpenAI-compatible server as the teacher: LiteLLM's proxy, whose answers are made up. `cargo xtask test
 * --litellm` fetches it from PyPI; elsewhere `pip install "litellm[proxy]"` and name its program in SEEDBED_LITELLM. Without it nothing is run.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { freePort } from "./firefox";
import { expect, SHORT, Studio, test } from "./studio";

const PROGRAM = process.env["SEEDBED_LITELLM"] ?? "";
const KEY = "sk-only-for-this-test";

const PRINCIPLES = {
  principles: [
    { level: "task", label: null, attribute: null, values: [], text: "Write a short command.", polarity: "do" },
    { level: "label", label: "GetWeather", attribute: null, values: [], text: 'Use the word "forecast".', polarity: "do" },
  ],
};

/** JSON is YAML. */
const CONFIG = JSON.stringify({
  model_list: [
    { model_name: "made-up", litellm_params: { model: "openai/made-up", api_key: "none", mock_response: JSON.stringify(PRINCIPLES) } },
    { model_name: "busy", litellm_params: { model: "openai/busy", api_key: "none", mock_response: "litellm.RateLimitError" } },
  ],
  general_settings: { master_key: KEY },
  litellm_settings: { telemetry: false },
});

interface Proxy {
  url: string;
  end(): void;
}

async function proxy(): Promise<Proxy> {
  const folder = mkdtempSync(join(tmpdir(), "seedbed-litellm-"));
  const config = join(folder, "config.yaml");
  writeFileSync(config, CONFIG);
  const port = await freePort();
  // Where pip has put it into a folder of its own, its packages stand beside `bin`.
  const path = [join(dirname(PROGRAM), ".."), process.env["PYTHONPATH"]].filter(Boolean).join(delimiter);
  const env = { ...process.env, PYTHONPATH: path, LITELLM_LOCAL_MODEL_COST_MAP: "True" };
  const server: ChildProcess = spawn(PROGRAM, ["--config", config, "--host", "127.0.0.1", "--port", String(port)], { env, stdio: "ignore" });
  const end = () => {
    server.kill();
    rmSync(folder, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}`;
  try {
    await expect.poll(() => fetch(`${url}/health/liveliness`).then((response) => response.status, () => 0), { timeout: 120_000 }).toBe(200);
  } catch (thrown) {
    end();
    throw thrown;
  }
  return { url: `${url}/v1`, end };
}

test("a real server is asked from the page: behind its key, and its limit is told from other trouble", async ({ page }) => {
  test.skip(!existsSync(PROGRAM), "LiteLLM is not there; see the head of this file");
  const { url, end } = await proxy();
  try {
    const studio = await Studio.open(page, `device=cpu&rows=psi&${SHORT}`);
    await page.getByRole("radio", { name: "An endpoint" }).check();
    await page.getByLabel("Address, OpenAI-compatible").fill(url);
    const key = page.frameLocator("iframe.door").getByLabel("Key");
    const ask = async (model: string) => {
      await page.getByLabel("Model there").fill(model);
      await page.locator("#brief-draw").click();
      await expect(page.locator("#brief-text")).not.toBeEmpty();
      await expect(page.getByLabel("I have read it")).not.toBeChecked();
      await key.fill(KEY);
      await page.getByLabel("I have read it").check();
      await page.getByRole("button", { name: "Send", exact: true }).click();
    };
    await ask("busy");
    await expect(page.locator("#teacher-error")).toContainText("429");
    await ask("made-up");
    await expect(page.locator("#teacher-said")).toContainText("The teacher answered with 2 principles");
    await page.locator("#play").click();
    await studio.expectPhase("finished");
    await expect(page.locator("#principles-box li", { hasText: "forecast" })).toHaveCount(1);
    expect(studio.errors).toEqual([]);
  } finally {
    end();
  }
});
