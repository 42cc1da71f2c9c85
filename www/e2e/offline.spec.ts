import type { Page } from "@playwright/test";
import { close, relay } from "./relay";
import { expect, foreign, recordRequests, SHORT, Studio, test } from "./studio";

async function open(page: Page, url: string): Promise<Studio> {
  const studio = new Studio(page);
  await page.goto(`${url}?device=cpu&rows=untouched&${SHORT}`);
  await expect(studio.play).toBeEnabled({ timeout: 120_000 });
  return studio;
}

const caches = (page: Page) => page.evaluate(async () => (await globalThis.caches.keys()).filter((name) => name.startsWith("seedbed-")));

test("after the first visit the page opens and runs without its server, and a new version takes the old one's place", async ({ page, context, baseURL }) => {
  const requests = recordRequests(context);
  let version = "";
  const { server, url } = await relay(baseURL ?? "", { script: (script) => (version === "" ? script : script.replace(/"version":"\w+"/, `"version":"${version}"`)) });
  const studio = await open(page, url);
  await expect(page.locator("#offline")).toBeVisible();
  const before = await caches(page);
  expect(before).toHaveLength(1);

  // A new version waits until no tab of the old one is open, and then has all that the old one had.
  version = "next";
  await page.evaluate(async () => {
    const registration = await navigator.serviceWorker.ready;
    await registration.update();
  });
  await expect.poll(() => page.evaluate(async () => (await navigator.serviceWorker.ready).waiting !== null)).toBe(true);
  expect(await caches(page)).toEqual([...before, "seedbed-next"].sort());
  await page.goto("about:blank");
  const later = await context.newPage();
  // A tab that is opened before the browser has noted that the old one is closed is of the old version too, and keeps it.
  await expect(async () => {
    await later.goto("about:blank");
    await later.waitForTimeout(1000);
    await open(later, url);
    expect(await caches(later)).toEqual(["seedbed-next"]);
  }).toPass({ timeout: 60_000 });

  await close(server);
  const offline = await open(later, url);
  await offline.run();
  await expect(offline.bars).toHaveCount(1);
  expect(foreign(requests.filter((address) => address !== "about:blank"), url)).toEqual([]);
  expect([...studio.errors, ...offline.errors]).toEqual([]);
});

test("the page can be installed", async ({ page, context }) => {
  await Studio.open(page, "device=cpu");
  const devtools = await context.newCDPSession(page);
  const { errors } = (await devtools.send("Page.getAppManifest")) as { errors: unknown[] };
  expect(errors).toEqual([]);
  const { installabilityErrors } = await devtools.send("Page.getInstallabilityErrors");
  // A window without a profile of its own installs nothing; all else must be in order.
  expect(installabilityErrors.map(({ errorId }) => errorId).filter((id) => id !== "in-incognito")).toEqual([]);
});
