/** The page in Firefox, on the CPU: from Play to an answer, and back after a reload. */
import { expect, test } from "@playwright/test";
import { Firefox, firefoxPath } from "./firefox";
import { SHORT } from "./studio";

const path = firefoxPath();

test("the page runs to the end in Firefox, answers, and brings its run back after a reload", async ({ baseURL }) => {
  test.skip(path === undefined, "there is no Firefox here: install it, or name it in the variable FIREFOX");
  const firefox = await Firefox.open(path ?? "");
  try {
    await firefox.go(`${baseURL}?device=cpu&rows=untouched,seeds_only,psi&${SHORT}`);
    await firefox.until("!document.getElementById('play').disabled");
    expect(await firefox.read("document.getElementById('device-chip').dataset.device")).toBe("cpu");
    // Its policy holds here too.
    await firefox.read("void (window.away = fetch('https://example.org/').then(() => 'sent', () => 'refused').then((what) => (window.away = what)))");
    await firefox.until("window.away === 'refused'");

    await firefox.click("#play");
    await firefox.until("['finished', 'failed'].includes(document.documentElement.dataset.phase)", 5 * 60_000);
    expect(await firefox.read("document.getElementById('run-error').textContent")).toBe("");
    expect(await firefox.read("document.querySelectorAll('#result-bars rect.bar').length")).toBe(3);
    expect(await firefox.read("document.getElementById('verdict').textContent")).toMatch(/PSI (beat|did not beat|and seeds only came out alike)/);
    expect(await firefox.read("document.getElementById('bytes-left').textContent")).toBe("0 bytes");

    const ask = async () => {
      await firefox.read("void (document.getElementById('try-text').value = 'play some jazz on spotify')");
      await firefox.click("#try-go");
      await firefox.until("document.querySelectorAll('#try-answer section').length === 2");
      return firefox.read<string>("document.getElementById('try-answer').textContent");
    };
    const answer = await ask();
    expect(answer).toContain("PlayMusic");

    await firefox.go(await firefox.read<string>("location.href"));
    await firefox.until("document.querySelectorAll('#stored-runs li button').length > 0");
    await firefox.read("[...document.querySelectorAll('#stored-runs button')].find((button) => button.textContent === 'Show').click()");
    await firefox.until("document.documentElement.dataset.phase === 'finished'");
    expect(await ask()).toBe(answer);
  } finally {
    firefox.close();
  }
});
