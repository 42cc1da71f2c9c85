import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { BrowserContext, Page } from "@playwright/test";
import { expect, expectNoBarrier, SHORT, Studio, test } from "./studio";

test.use({ webgpu: false });

const fixture = (path: string) => fileURLToPath(new URL(`../../tests/fixtures/${path}`, import.meta.url));
const TINY = ["config.json", "tokenizer.json", "model.safetensors"].map((name) => ({ name, path: fixture(`tiny-llama-1m/${name}`) }));
const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const HUB = "https://huggingface.co";

class Panel {
  constructor(readonly page: Page) {}

  static async open(page: Page, query = ""): Promise<{ panel: Panel; studio: Studio }> {
    const studio = await Studio.open(page, `device=cpu${query}`);
    const panel = new Panel(page);
    await panel.unfold();
    return { panel, studio };
  }

  async unfold(): Promise<void> {
    await this.page.getByText("Use another model").click();
  }

  async choose(files: string[] | { name: string; mimeType: string; buffer: Buffer }[]): Promise<void> {
    await this.page.locator("#models-file-input").setInputFiles(files);
  }

  async lookUp(name: string): Promise<void> {
    await this.page.getByLabel("From the model hub, huggingface.co").fill(name);
    await this.page.getByRole("button", { name: "Look it up" }).click();
  }

  get plan() {
    return this.page.locator("#models-plan");
  }

  /** Beside those that come with the page. */
  get rows() {
    return this.page.locator("#models-list > li").filter({ hasNotText: "seedbed-" });
  }

  get error() {
    return this.page.locator("#models-error");
  }

  /** All names in the browser's own storage of models. */
  inStorage(): Promise<string[]> {
    return this.page.evaluate(async () => {
      const root = await navigator.storage.getDirectory();
      const models = await root.getDirectoryHandle("models", { create: true });
      const names: string[] = [];
      for await (const name of (models as unknown as { keys(): AsyncIterable<string> }).keys()) {
        names.push(name);
      }
      return names;
    });
  }
}

interface Hub {
  /** Ranges that were asked for, by file. */
  asked: string[];
  /** Ends the next file after so many bytes. */
  cutAfter: number | null;
  /** What the list says of the weights. */
  sha256: string;
}

/** A hub of our own behind the hub's address: a list of files, and the files, with ranges. */
async function fakeHub(context: BrowserContext, config?: object): Promise<Hub> {
  const files = new Map(TINY.map(({ name, path }) => [name, readFileSync(path)]));
  if (config !== undefined) {
    files.set("config.json", Buffer.from(JSON.stringify({ ...JSON.parse(files.get("config.json")?.toString() ?? "{}"), ...config })));
  }
  const weights = files.get("model.safetensors") ?? Buffer.alloc(0);
  const hub: Hub = { asked: [], cutAfter: null, sha256: createHash("sha256").update(weights).digest("hex") };
  await context.route(`${HUB}/**`, async (route) => {
    const url = new URL(route.request().url());
    const headers = { "access-control-allow-origin": "*", "access-control-expose-headers": "content-range" };
    if (url.pathname.startsWith("/api/models/seed/tiny/")) {
      const siblings = [...files].map(([rfilename, bytes]) => ({ rfilename, size: bytes.length, ...(rfilename === "model.safetensors" ? { lfs: { sha256: hub.sha256, size: bytes.length } } : {}) }));
      return route.fulfill({ json: { sha: COMMIT, siblings }, headers });
    }
    const bytes = files.get(url.pathname.split("/").at(-1) ?? "");
    if (bytes === undefined || !url.pathname.startsWith(`/seed/tiny/resolve/${COMMIT}/`)) {
      return route.fulfill({ status: 404, headers });
    }
    const range = /^bytes=(\d+)-(\d*)$/.exec(route.request().headers()["range"] ?? "");
    const from = Number(range?.[1] ?? 0);
    hub.asked.push(`${url.pathname.split("/").at(-1)} ${from}`);
    let body = bytes.subarray(from, range?.[2] ? Number(range[2]) + 1 : undefined);
    if (hub.cutAfter !== null && body.length > hub.cutAfter) {
      body = body.subarray(0, hub.cutAfter);
    }
    const part = range === null ? {} : { "content-range": `bytes ${from}-${from + body.length - 1}/${bytes.length}` };
    return route.fulfill({ status: range === null ? 200 : 206, body, headers: { ...headers, ...part } });
  });
  return hub;
}

test("a model out of files is described, copied, chosen, run, still there after a reload, and really deleted", async ({ page }) => {
  const { panel, studio } = await Panel.open(page, `&rows=seeds_only&${SHORT}`);
  await panel.choose(TINY.map(({ path }) => path));
  await expect(panel.plan).toContainText("your files");
  await expect(panel.plan).toContainText("can run and fine-tune it");
  await page.getByRole("button", { name: "Copy and use" }).click();
  await expect(panel.rows).toHaveCount(1);
  const radio = page.getByRole("radio", { name: "A model of your files" });
  await expect(radio).toBeChecked();
  const hash = createHash("sha256").update(readFileSync(fixture("tiny-llama-1m/model.safetensors"))).digest("hex");
  await expect(panel.rows.first()).toContainText(hash);

  await page.getByLabel("Kept in memory as").selectOption("q8");
  await studio.run();
  await expect(studio.bars).toHaveCount(1);

  await page.reload();
  await expect(radio).toBeChecked({ timeout: 120_000 });
  await expect(page.getByLabel("Kept in memory as")).toHaveValue("q8");
  await page.getByRole("button", { name: "Delete A model of your files" }).click();
  await expect(panel.rows).toHaveCount(0);
  await expect(page.getByRole("radio", { name: "seedbed-3m" })).toBeChecked();
  expect(await panel.inStorage()).toEqual([]);
  expect(studio.errors).toEqual([]);
});

test("a download that broke off is continued after a reload, checked against the hub's hash, and every request is shown", async ({ page, context }) => {
  const hub = await fakeHub(context);
  const { panel, studio } = await Panel.open(page);
  await panel.lookUp("seed/tiny@v1");
  await expect(panel.plan).toContainText(`huggingface.co/seed/tiny at ${COMMIT.slice(0, 12)}`);
  hub.cutAfter = 300_000;
  await page.getByRole("button", { name: "Download and use" }).click();
  await expect(panel.error).toContainText("continue it, what has arrived is kept");

  await page.reload();
  hub.cutAfter = null;
  hub.asked.length = 0;
  await expect(panel.rows).toHaveCount(1);
  await page.getByRole("button", { name: "Continue seed/tiny" }).click();
  await expect(page.getByRole("radio", { name: "seed/tiny" })).toBeChecked();
  expect(hub.asked).toEqual(["model.safetensors 300000"]);
  await expect(panel.rows.first()).toContainText(`${hub.sha256}, as the hub publishes it`);
  await page.getByText("What was asked of the hub").click();
  await expect(page.locator("#models-asked-list li")).toHaveCount(1);
  await expect(page.locator("#models-asked-list li")).toContainText(`${HUB}/seed/tiny/resolve/${COMMIT}/model.safetensors`);
  expect(studio.errors).toEqual([]);
});

test("the larger model that comes with the page is fetched when it is used, stays chosen, and is kept from then on", async ({ page }) => {
  test.setTimeout(240_000);
  const { studio } = await Panel.open(page);
  await expect(page.locator("#offline")).toBeVisible();
  const kept = () => page.evaluate(async () => (await caches.match(new URL("models/seedbed-28m/seedbed-28m.gguf", document.baseURI))) !== undefined);
  expect(await kept()).toBe(false);
  await page.getByRole("radio", { name: "seedbed-28m" }).check();
  await expect(page.getByLabel("Kept in memory as")).toBeHidden();
  await page.reload();
  await expect(page.getByRole("radio", { name: "seedbed-28m" })).toBeChecked({ timeout: 120_000 });
  await page.getByText("Hear it speak").click();
  await page.locator("#models-text").fill("Write a sentence about food.");
  await page.locator("#models-text").press("Enter");
  await expect(page.locator("#models-said")).toHaveText(/\w/, { timeout: 120_000 });
  await expect.poll(kept).toBe(true);
  expect(studio.errors).toEqual([]);
});

test("of several GGUF files of a repository one is chosen", async ({ page, context }) => {
  const gguf = readFileSync(fixture("tiny-qwen2/model.gguf"));
  const headers = { "access-control-allow-origin": "*" };
  await context.route(`${HUB}/**`, (route) =>
    route.request().url().includes("/api/models/")
      ? route.fulfill({ headers, json: { sha: COMMIT, siblings: ["a-Q8_0.gguf", "b-Q4_K.gguf"].map((rfilename) => ({ rfilename, size: gguf.length })) } })
      : route.fulfill({ headers, status: 206, body: gguf }),
  );
  const { panel } = await Panel.open(page);
  await panel.lookUp("seed/several");
  await page.getByRole("button", { name: "b-Q4_K.gguf" }).click();
  await expect(panel.plan).toContainText("seed/several, b-Q4_K.gguf");
  await expect(panel.plan).toContainText("qwen2");
});

test("a GGUF file can be kept as it is stored, with the memory that this takes", async ({ page }) => {
  const { panel, studio } = await Panel.open(page);
  const dtype = page.getByLabel("Kept in memory as");
  await panel.choose(TINY.map(({ path }) => path));
  await page.getByRole("button", { name: "Copy and use" }).click();
  await expect(panel.rows).toHaveCount(1);
  // Of other files it would be 32 bits.
  await expect(dtype.locator("option")).toHaveCount(4);
  await panel.choose([fixture("tiny-qwen2/model.gguf")]);
  await page.getByRole("button", { name: "Copy and use" }).click();
  await expect(dtype.locator("option")).toHaveText(["32 bits (exact)", "16 bits", "8 bits", "4 bits (smallest)", "its file's own blocks"]);
  const memory = page.locator("#models-memory");
  const exact = await memory.textContent();
  await dtype.selectOption("q4");
  await expect(memory).not.toHaveText(exact ?? "");
  // The numbers of this file are plain, and so they stay.
  await dtype.selectOption("stored");
  await expect(memory).toHaveText(exact ?? "");
  await page.reload();
  await expect(dtype).toHaveValue("stored", { timeout: 120_000 });
  expect(studio.errors).toEqual([]);
});

test("a file with another hash than the hub lists is thrown away", async ({ page, context }) => {
  const hub = await fakeHub(context);
  hub.sha256 = "0".repeat(64);
  const { panel } = await Panel.open(page);
  await panel.lookUp("seed/tiny");
  await page.getByRole("button", { name: "Download and use" }).click();
  await expect(panel.error).toContainText("model.safetensors is not what the hub lists");
  await expect(panel.rows.first()).toContainText("begun");
  await page.getByRole("button", { name: "Delete seed/tiny" }).click();
  await expect(panel.rows).toHaveCount(0);
  expect(await panel.inStorage()).toEqual([]);
});

test("when the storage is full the model is kept in memory, and that is said", async ({ page, context, baseURL }) => {
  const devtools = await context.newCDPSession(page);
  const { panel, studio } = await Panel.open(page, `&rows=untouched&${SHORT}`);
  await devtools.send("Storage.overrideQuotaForOrigin", { origin: new URL(baseURL ?? "").origin, quotaSize: 1_500_000 });
  await panel.choose(TINY.map(({ path }) => path));
  await page.getByRole("button", { name: "Copy and use" }).click();
  await expect(page.locator("#notices")).toContainText("kept in memory until the page is closed");
  await expect(panel.rows.first()).toContainText("in memory until the page is closed");
  await studio.run();
  expect(studio.errors).toEqual([]);
});

test("what is no model, or only a part of one, is refused in one line with the remedy", async ({ page, context }) => {
  await fakeHub(context);
  const { panel, studio } = await Panel.open(page);
  const file = (name: string, buffer: Buffer) => [{ name, mimeType: "application/octet-stream", buffer }];
  const whole = readFileSync(fixture("tiny-qwen2/model.gguf"));
  for (const { act, line } of [
    { act: () => panel.choose(file("photo.jpg", Buffer.from("no model"))), line: /^photo\.jpg: this is no model\. Choose one \.gguf file/ },
    { act: () => panel.choose(file("wrong.gguf", Buffer.from("no model"))), line: /does not begin with the letters GGUF/ },
    { act: () => panel.choose(file("cut.gguf", whole.subarray(0, whole.length - 1000))), line: /cut short|outside|beyond|download it again/ },
    { act: () => panel.choose(file("config.json", Buffer.from('{"architectures":["MambaForCausalLM"]}'))), line: /MambaForCausalLM.*known are/ },
    { act: () => panel.lookUp("no name"), line: /write owner\/name/ },
    { act: () => panel.lookUp("seed/none"), line: /is not on the hub; check the name/ },
  ]) {
    await act();
    await expect(panel.error).toHaveText(line);
    await expect(panel.rows).toHaveCount(0);
  }
  expect(studio.errors.filter((error) => !error.includes("404"))).toEqual([]);
});

test("a model that needs more memory than there is cannot be downloaded", async ({ page, context }) => {
  await fakeHub(context, { hidden_size: 8192, intermediate_size: 28672, num_hidden_layers: 80, num_attention_heads: 64, num_key_value_heads: 8, head_dim: 128 });
  const { panel } = await Panel.open(page);
  await panel.lookUp("seed/tiny");
  await expect(panel.plan).toContainText("cannot run it");
  await expect(panel.plan).toContainText("Choose a smaller model");
  await expect(page.getByRole("button", { name: "Download and use" })).toBeDisabled();
});

test("the panel has no barrier, works by keyboard and fits a narrow screen", async ({ page, context }) => {
  await fakeHub(context);
  await page.setViewportSize({ width: 360, height: 800 });
  await Studio.open(page, "device=cpu");
  await page.getByText("Use another model").focus();
  await page.keyboard.press("Enter");
  await page.getByLabel("From the model hub, huggingface.co").focus();
  await page.keyboard.type("seed/tiny");
  await page.keyboard.press("Enter");
  await expect(page.locator("#models-plan")).toContainText("million parameters");
  await expectNoBarrier(page, 360);
});
