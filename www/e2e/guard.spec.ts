import { expect, Studio, test } from "./studio";

const ELSEWHERE = "https://example.com/";

/** Runs in the page or in the worker. */
async function reach(address: string): Promise<string> {
  return fetch(address, { mode: "no-cors" }).then(
    () => "reached",
    () => "refused",
  );
}

test("the page cannot reach another origin", async ({ page }) => {
  await Studio.open(page, "device=cpu");
  const violation = page.evaluate(
    () =>
      new Promise<string>((resolve) =>
        document.addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective), { once: true }),
      ),
  );
  expect(await page.evaluate(reach, ELSEWHERE)).toBe("refused");
  expect(await violation).toBe("connect-src");
});

test("the worker cannot reach another origin either", async ({ page }) => {
  await Studio.open(page, "device=cpu");
  const worker = page.workers()[0];
  if (worker === undefined) {
    throw new Error("the page has no worker");
  }
  const directive = await worker.evaluate(async (address) => {
    const violation = new Promise<string>((resolve) =>
      self.addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective), { once: true }),
    );
    await fetch(address, { mode: "no-cors" }).catch(() => undefined);
    return violation;
  }, ELSEWHERE);
  expect(directive).toBe("connect-src");
});

test("the page has no inline script and no inline style", async ({ page }) => {
  await Studio.open(page, "device=cpu");
  expect(await page.locator("script:not([src])").count()).toBe(0);
  expect(await page.locator("style").count()).toBe(0);
});
