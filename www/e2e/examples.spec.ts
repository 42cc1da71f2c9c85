/** The pages of `examples/`, with the package beside them. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { serve } from "./serve";
import { expect, foreign, recordRequests, test } from "./studio";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const places = { "/node_modules/seedbed/": join(root, "pkg"), "/": join(root, "examples") };

test("the form learns from the notes filed in it and proposes a drawer, and nothing leaves the tab", async ({ page, context }) => {
  const { address, close } = await serve(places);
  const requests = recordRequests(context);
  await page.goto(`${address}form.html`);
  await page.getByRole("textbox", { name: "Note" }).fill("<b>pay</b> the rent");
  await page.getByLabel("Drawer").selectOption("home");
  await page.getByRole("button", { name: "File it" }).click();
  await expect(page.locator("#notes tr").first()).toHaveText(/<b>pay<\/b> the rent\s*home/);
  await page.getByRole("button", { name: "Learn from these" }).click();
  await expect(page.locator("#said")).toHaveText(/^Learnt/, { timeout: 120_000 });
  await page.getByRole("textbox", { name: "Note" }).fill("send the slides to the customer");
  await expect(page.locator("#said")).toHaveText(/^Proposed: (home|work) \(\d+ %\)$/);
  const refused = await page.evaluate(() => fetch("https://example.org/?note").then(() => false, () => true));
  expect(refused).toBe(true);
  expect(foreign(requests, address).filter((request) => !request.startsWith("https://example.org/"))).toEqual([]);
  close();
});

test("the classroom draws a bar for the untouched model and one for each number of examples", async ({ page }) => {
  const { address, close } = await serve(places);
  await page.goto(`${address}classroom.html`);
  await page.getByRole("button", { name: "Find out" }).click();
  await expect(page.locator("#said")).toHaveText(/^Ten test texts are few/, { timeout: 500_000 });
  await expect(page.locator(".bar")).toHaveCount(5);
  close();
});
