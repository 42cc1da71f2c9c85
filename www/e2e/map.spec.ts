import { mapOf, type Place } from "../src/map/map";
import { expect, SHORT, Studio, test } from "./studio";

test("after a run the map shows every seed and instance, and tells the text under the pointer", async ({ page }) => {
  const studio = await Studio.open(page, `device=cpu&rows=untouched,psi&${SHORT}`);
  await expect(page.locator("#map-box")).toHaveText("Drawn once a run is over.");
  await studio.run();
  await expect(page.locator("#map-box svg")).toBeVisible();
  await expect(page.locator("#map-box .mark-seed")).toHaveCount(63);
  const written = Number(await page.locator("#count-all").textContent());
  await expect(page.locator("#map-box .mark-accepted, #map-box .mark-refused")).toHaveCount(written);
  // Seven labels and five signs.
  await expect(page.locator("#map-legend li")).toHaveCount(12);
  await expect(page.locator("#map-words")).toContainText(/of 63 seeds (has|have) no accepted instance/);
  await page.locator("#map-box .mark-seed").first().dispatchEvent("click");
  await expect(page.locator("#map-said")).toHaveText(/, seed: “.+”/);
  const inside = await page.locator("#map-box .mark").evaluateAll((marks) =>
    marks.every((mark) => {
      const [, x = NaN, y = NaN] = /translate\(([\d.]+) ([\d.]+)\)/.exec(mark.getAttribute("transform") ?? "")?.map(Number) ?? [];
      return x >= 0 && x <= 1000 && y >= 0 && y <= 480;
    }),
  );
  expect(inside).toBe(true);
  expect(studio.errors).toEqual([]);
});

test("points are laid along the directions in which they differ most, and copies and holes are found", async () => {
  // Far apart along one axis, a little along another, not at all along the third.
  const rows: [Place["kind"], string, number, number][] = [
    ["seed", "a", -10, 1],
    ["seed", "a", -9, -1],
    ["seed", "b", 9, 2],
    ["seed", "b", 10, -1],
    ["accepted", "a", -10, 1.01],
    ["refused", "b", 2, -2],
  ];
  const values = Float32Array.from(rows.flatMap(([, , far, near]) => [near, 0, far]));
  const places = rows.map(([kind, label], at): Place => ({ kind, label, text: String(at) }));
  const map = await mapOf(places, { width: 3, values });
  expect(map.held).toBeCloseTo(1, 6);
  const xs = map.points.map((point) => point.x);
  const order = [...xs.keys()].sort((a, b) => xs[a]! - xs[b]!).map((at) => rows[at]![2]);
  // Which end is left is nobody's choice.
  expect([order, [...order].reverse()]).toContainEqual([...rows.map((row) => row[2])].sort((a, b) => a - b));
  // The accepted one lies where the first seed does; the label b has no accepted instance at all.
  expect(map.points.map((point) => point.copyOf)).toEqual([null, null, null, null, 0, null]);
  expect(map.points.map((point) => point.hole)).toEqual([false, expect.any(Boolean), true, true, false, false]);
});
