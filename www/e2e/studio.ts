/** What the tests share: a browser with or without WebGPU, and the page's places by name. */
import { test as base, chromium, expect, type Browser, type BrowserContext, type Locator, type Page } from "@playwright/test";
import axe from "axe-core";
import type { AxeResults } from "axe-core";
import { browserPath } from "./playwright.config";

/** No traffic of the browser's own, which would be mistaken for the page's. */
const QUIET = [
  "--no-sandbox",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];
const WEBGPU = ["--enable-unsafe-webgpu"];
/** Takes `navigator.gpu` away in pages and in workers; a script in the page could not do it for a worker. */
const NO_WEBGPU = ["--disable-blink-features=WebGPU", "--disable-features=WebGPU,WebGPUService"];

interface Options {
  webgpu: boolean;
}

/** A browser for each test: WebGPU in software is one process, and what one test leaves in its queue would stall the next. */
interface PerTest {
  launched: Browser;
}

export const test = base.extend<PerTest, Options>({
  webgpu: [true, { option: true, scope: "worker" }],
  launched: [
    async ({ webgpu }, use) => {
      const args = [...QUIET, ...(webgpu ? WEBGPU : NO_WEBGPU)];
      const browser = await chromium.launch({ executablePath: browserPath(), args });
      await use(browser);
      await browser.close();
    },
    { scope: "test" },
  ],
  context: async ({ launched, baseURL, viewport, colorScheme }, use) => {
    const context = await launched.newContext({
      ...(baseURL === undefined ? {} : { baseURL }),
      viewport,
      colorScheme: colorScheme ?? "light",
    });
    await use(context);
    await context.close();
  },
  page: async ({ context }, use) => {
    await use(await context.newPage());
  },
});

export { expect };

/** What the training's numbers say, but for how fast it went: only the tab that saw it knows. */
export function withoutPace(text: string): string {
  return text.replace(/(tokens a second\s+)[\d,–]+/, "$1");
}

/** Settings of a run that is whole, but short. */
export const SHORT = "seeds=2&instances=3&test=7&epochs=1";

export class Studio {
  readonly errors: string[] = [];

  constructor(readonly page: Page) {
    page.on("pageerror", (error) => this.errors.push(error.message));
  }

  static async open(page: Page, query = ""): Promise<Studio> {
    const studio = new Studio(page);
    await page.goto(`./?${query}`);
    await expect(studio.play).toBeEnabled({ timeout: 120_000 });
    return studio;
  }

  get play(): Locator {
    return this.page.getByRole("button", { name: "Play" });
  }

  get stop(): Locator {
    return this.page.getByRole("button", { name: "Stop" });
  }

  get device(): Locator {
    return this.page.locator("#device-chip");
  }

  get notices(): Locator {
    return this.page.locator("#notices .notice");
  }

  get taskError(): Locator {
    return this.page.locator("#task-error");
  }

  get seeds(): Locator {
    return this.page.getByLabel("Seeds: your labelled examples");
  }

  get bars(): Locator {
    return this.page.locator("#result-bars rect.bar");
  }

  get verdict(): Locator {
    return this.page.locator("#verdict");
  }

  get instances(): Locator {
    return this.page.locator("#instances-list > li[data-accepted]");
  }

  async expectPhase(phase: string, timeout = 9 * 60_000): Promise<void> {
    await expect(this.page.locator("html")).toHaveAttribute("data-phase", phase, { timeout });
  }

  async run(): Promise<void> {
    await this.play.click();
    await this.expectPhase("finished");
  }

  /** Waits until the run is in this stage and something of it was done. */
  async expectStage(title: string): Promise<void> {
    const step = this.page.locator("#steps li[data-state=now]", { hasText: title });
    await expect(step).toBeVisible({ timeout: 9 * 60_000 });
  }

  /** Presses Stop and says after how many milliseconds, on the page's own clock, the page had stopped. */
  async stopAndMeasure(): Promise<number> {
    return this.page.evaluate(
      () =>
        new Promise<number>((resolve) => {
          const root = document.documentElement;
          const begin = performance.now();
          new MutationObserver((_, observer) => {
            if (root.dataset["phase"] === "stopped") {
              observer.disconnect();
              resolve(performance.now() - begin);
            }
          }).observe(root, { attributes: true, attributeFilter: ["data-phase"] });
          document.getElementById("stop")?.click();
        }),
    );
  }

  async chooseOwn(seeds: string): Promise<void> {
    await this.page.getByRole("radio", { name: "Your own" }).check();
    await this.seeds.fill(seeds);
  }
}

/** axe-core finds nothing serious, and the page is never wider than the screen. */
export async function expectNoBarrier(page: Page, width: number): Promise<void> {
  await page.evaluate(axe.source);
  const results = await page.evaluate(() => (globalThis as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run());
  const serious = results.violations.filter((violation) => ["serious", "critical"].includes(violation.impact ?? ""));
  expect(serious.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
}

/** Every request of the page and of its workers, from now on. */
export function recordRequests(context: BrowserContext): string[] {
  const requests: string[] = [];
  context.on("request", (request) => requests.push(request.url()));
  return requests;
}

/** The addresses that are neither the page's own origin nor made in the page. */
export function foreign(requests: readonly string[], baseURL: string): string[] {
  const own = new URL(baseURL).origin;
  return requests.filter((address) => {
    const url = new URL(address);
    return url.origin !== own || !["http:", "https:", "blob:"].includes(url.protocol);
  });
}
