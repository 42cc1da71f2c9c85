import type { BrowserContext, CDPSession, Page } from "@playwright/test";
import { expect, expectNoBarrier, SHORT, Studio, test } from "./studio";
import { HUB_HOSTS, isHub, PAGE_POLICY } from "../src/boundary/policy";
import { streamed, teacher, type TeacherServer } from "./teacher-server";

const KEY = "sk-a-secret-key";
const RUNS = Number(process.env["BRIEF_RUNS"] ?? 200);

const send = (page: Page) => page.getByRole("button", { name: "Send", exact: true });

async function choose(page: Page, server: TeacherServer): Promise<void> {
  await page.getByRole("radio", { name: "An endpoint" }).check();
  const address = page.getByLabel("Address, OpenAI-compatible");
  // The page closes its fields while it works, and what is typed at that moment goes nowhere.
  await expect(async () => {
    await address.fill(server.url);
    await expect(address).toHaveValue(server.url, { timeout: 1_000 });
  }).toPass();
  await page.getByLabel("Model there").fill("tiny");
}

async function showBrief(page: Page): Promise<void> {
  await page.locator("#brief-draw").click();
  await expect(page.locator("#brief-text")).not.toBeEmpty();
  // One that failed to go stays there, read, until the next is drawn.
  await expect(page.getByLabel("I have read it")).not.toBeChecked();
}

/** By id: rules have buttons too, and some are named after a label with "Play" in it. */
async function play(studio: Studio, phase = "finished"): Promise<void> {
  await studio.page.locator("#play").click();
  await studio.expectPhase(phase);
}

async function readAndSend(page: Page): Promise<void> {
  await page.getByLabel("I have read it").check();
  await send(page).click();
}

/** Every request at the browser's network layer, of the page, its worker and its frames: address and body. */
async function watchNetwork(context: BrowserContext, page: Page): Promise<{ url: string; body: string }[]> {
  const seen: { url: string; body: string }[] = [];
  const listen = async (session: CDPSession) => {
    session.on("Network.requestWillBeSent", ({ request }) => void seen.push({ url: request.url, body: request.postData ?? "" }));
    await session.send("Network.enable", { maxPostDataSize: 100_000 });
  };
  await listen(await context.newCDPSession(page));
  // Playwright hears the requests of workers and of frames in processes of their own as well.
  context.on("request", (request) => void seen.push({ url: request.url(), body: request.postData() ?? "" }));
  return seen;
}

test("a brief is shown byte for byte, and goes only after it was read; the key stays behind the door", async ({ page, context }) => {
  const server = await teacher();
  const seen = await watchNetwork(context, page);
  const studio = await Studio.open(page, `device=cpu&rows=psi&${SHORT}`);
  await expect(page.locator("#bytes-left")).toHaveText("0 bytes");
  await choose(page, server);
  await showBrief(page);
  await expect(send(page)).toBeDisabled();
  expect(server.asked).toEqual([]);
  const shown = await page.locator("#brief-body").textContent();
  await page.frameLocator("iframe.door").getByLabel("Key").fill(KEY);
  await readAndSend(page);
  await expect(page.locator("#teacher-said")).toContainText("The teacher answered with 2 principles (400 tokens sent, 80 came back)");

  expect(server.asked.map(({ body }) => body)).toEqual([shown]);
  expect(server.asked[0]?.headers.authorization).toBe(`Bearer ${KEY}`);
  expect(server.asked[0]?.headers.origin).toBe("null");
  expect(server.asked[0]?.headers.cookie).toBeUndefined();
  expect(server.asked[0]?.headers.referer).toBeUndefined();
  expect(JSON.stringify(seen)).not.toContain(KEY);
  expect(await page.content()).not.toContain(KEY);
  expect(await page.evaluate(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }, location.href]))).not.toContain(KEY);

  // The ledger has every byte, and the run goes by the answer.
  await expect(page.locator("#ledger-list [data-entry=sent] pre")).toHaveText(shown ?? "");
  await expect(page.locator("#bytes-left")).not.toHaveText("0 bytes");
  await expect(page.locator("#rules-tree .rule")).toHaveCount(2);
  await play(studio);
  await expect(page.locator("#principles-box li", { hasText: "forecast" })).toHaveCount(1);
  expect(server.asked).toHaveLength(1);
  await expect(page.locator("#cost-table tbody tr").last()).toContainText("all 63 seeds sent");
  expect(studio.errors).toEqual([]);
  await server.close();
});

test("a run that asks for itself waits until its brief was read, and its ledger is stored with it", async ({ page }) => {
  const server = await teacher();
  const studio = await Studio.open(page, `device=cpu&rows=psi&${SHORT}`);
  await choose(page, server);
  await play(studio, "running");
  await expect(page.locator("#teacher-said")).toHaveText("A run wants to send this brief and waits for you.");
  expect(server.asked).toEqual([]);
  await page.locator("#stop").click();
  await studio.expectPhase("stopped", 5000);
  await expect(page.locator("#brief")).toBeHidden();
  // What was not let through did not leave.
  await expect(page.locator("#bytes-left")).toHaveText("0 bytes");
  await expect(page.locator("#ledger-list [data-entry=sent]")).toHaveCount(0);
  await play(studio, "running");
  await expect(page.locator("#brief-text")).toContainText("Labels: ");
  await readAndSend(page);
  await studio.expectPhase("finished");
  expect(server.asked).toHaveLength(1);
  const text = await page.locator("#ledger-list [data-entry=sent] pre").textContent();
  await page.reload();
  await studio.expectPhase("finished");
  await expect(page.locator("#ledger-list [data-entry=sent] pre")).toHaveText(text ?? "");
  // The answer came back with the run, and plays again without its teacher.
  await server.close();
  await page.getByRole("radio", { name: "Offline" }).check();
  await expect(page.locator("#rules-tree .rule")).toHaveCount(2);
  await expect(page.locator("#play")).toBeEnabled();
  await play(studio);
  expect(studio.errors).toEqual([]);
});

test("the page with a brief on it has no barrier and is never wider than a small screen", async ({ page }) => {
  const server = await teacher();
  await page.setViewportSize({ width: 360, height: 800 });
  await Studio.open(page, "device=cpu");
  await choose(page, server);
  await showBrief(page);
  await page.locator("#rules-title").click();
  await page.getByRole("button", { name: "Take the offline teacher's" }).click();
  await expect(page.locator("#rules-tree .rule").first()).toBeVisible();
  await expectNoBarrier(page, 360);
  await page.emulateMedia({ colorScheme: "dark" });
  // Colours fade from one to the other.
  await page.waitForTimeout(1000);
  await expectNoBarrier(page, 360);
  await server.close();
});

test("principles can be edited, what changed is said, and an empty rule is refused by name", async ({ page }) => {
  const studio = await Studio.open(page, `device=cpu&rows=psi&${SHORT}`);
  await page.locator("#rules-title").click();
  await page.getByRole("button", { name: "Take the offline teacher's" }).click();
  const rules = page.locator("#rules-tree .rule");
  await expect(rules.first()).toBeVisible();
  const count = await rules.count();
  await rules.first().locator("textarea").fill("Write like a poet.");
  await rules.first().locator("textarea").blur();
  await rules.nth(1).getByRole("button", { name: "Delete" }).click();
  await expect(rules).toHaveCount(count - 1);
  await expect(page.locator("#rules-changes [data-change=changed]")).toContainText("Write like a poet.");
  await expect(page.locator("#rules-changes [data-change=removed]")).toHaveCount(1);
  await play(studio);
  await expect(page.locator("#principles-box li", { hasText: "Write like a poet." })).toHaveCount(1);
  await rules.first().locator("textarea").fill(" ");
  await play(studio, "failed");
  await expect(page.locator("#run-error")).toContainText("its text is empty");
});

const troubles: [string, Parameters<typeof teacher>, RegExp][] = [
  ["a wrong key", [(response) => response.writeHead(401).end("{}")], /status 401; check the key/],
  ["an empty account", [(response) => response.writeHead(402).end("{}")], /status 402; its account has no credit/],
  ["a server that asks for long patience", [(response) => response.writeHead(429, { "retry-after": "3600" }).end()], /asks to wait 3600 s/],
  ["a redirect elsewhere", [(response) => response.writeHead(307, { location: "https://example.com/" }).end()], /sends requests elsewhere/],
  ["a page of HTML", [(response) => response.writeHead(200, { "content-type": "text/html" }).end("<html>busy</html>")], /did not answer with a chat completion/],
  ["a server that lets no page ask", [streamed, false], /not to this page \(CORS\).*OLLAMA_ORIGINS=\*/],
];

test("each kind of trouble is told from the others, with what to do", async ({ page }) => {
  await Studio.open(page, "device=cpu");
  await page.getByRole("radio", { name: "An endpoint" }).check();
  // Enough for all of them: a brief is paid for when it is cleared, whether or not it arrives.
  await page.getByLabel("Epsilon in all, at most").fill("100");
  for (const [name, [answer, cors], message] of troubles) {
    await test.step(name, async () => {
      const server = await teacher(answer, cors);
      await choose(page, server);
      await showBrief(page);
      await readAndSend(page);
      await expect(page.locator("#teacher-error")).toHaveText(message);
      await server.close();
    });
  }
  await test.step("nobody there", async () => {
    const server = await teacher();
    await server.close();
    await choose(page, server);
    await showBrief(page);
    await readAndSend(page);
    await expect(page.locator("#teacher-error")).toHaveText(/cannot be reached \(nobody answers there\)/);
  });
  await expect(page.locator("#ledger-list [data-entry=sent]", { hasText: "without any content" })).not.toHaveCount(0);
});

test("a call that does not end can be given up", async ({ page }) => {
  const server = await teacher((response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    const more = setInterval(() => response.write('data: {"choices":[{"delta":{"content":"on "}}]}\n\n'), 20);
    response.on("close", () => clearInterval(more));
  });
  await Studio.open(page, "device=cpu");
  await choose(page, server);
  await showBrief(page);
  await readAndSend(page);
  await expect.poll(() => server.asked.length).toBe(1);
  await page.getByRole("button", { name: "Cancel", exact: true }).click();
  await expect(page.locator("#teacher-said")).toContainText("Given up; what was sent stands in the ledger");
  await expect(page.locator("#ledger-list [data-entry=sent]")).toHaveCount(1);
  await server.close();
});

test("the door closes itself outside its sandbox, reaches its one host inside it, and hands on nothing but briefs", async ({ page }) => {
  const [server, other] = [await teacher(), await teacher()];
  await Studio.open(page, "device=cpu");
  await choose(page, server);
  await showBrief(page);
  // It is told its host only once it has loaded; it says so when it has narrowed its policy, before it listens.
  await expect(page.frameLocator("iframe.door").locator("#where")).toContainText("alone");
  const door = page.frames().find((frame) => frame.url().endsWith("/door.html"));
  const reach = (url: string) =>
    fetch(url, { method: "POST", body: "x", mode: "no-cors" }).then(
      () => "reached",
      () => "refused",
    );
  expect(await door?.evaluate(reach, other.url)).toBe("refused");
  expect(await door?.evaluate(reach, server.url)).toBe("reached");
  expect(await door?.evaluate(() => self.origin)).toBe("null");
  expect(
    await door?.evaluate(() => {
      try {
        return String(parent.document.title);
      } catch {
        return "hidden";
      }
    }),
  ).toBe("hidden");
  // Framed without a sandbox by a page that has gone astray.
  const outcome = await page.evaluate(async (url) => {
    const frame = document.createElement("iframe");
    frame.src = "door.html";
    document.body.append(frame);
    await new Promise((loaded) => frame.addEventListener("load", loaded, { once: true }));
    const inside = (frame.contentWindow as unknown as { fetch: typeof fetch }).fetch;
    return inside(url, { mode: "no-cors" }).then(
      () => "reached",
      () => "refused",
    );
  }, other.url);
  expect(outcome).toBe("refused");
  // No other document may be framed, not even one of this site.
  const violated = page.evaluate(
    () => new Promise<string>((resolve) => document.addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective), { once: true })),
  );
  await page.evaluate(() => {
    const frame = document.createElement("iframe");
    frame.src = "manifest.webmanifest";
    document.body.append(frame);
  });
  expect(await violated).toBe("frame-src");
  expect(server.asked.map(({ body }) => body)).toEqual(["x"]);
  expect(other.asked).toEqual([]);
  await server.close();
  await other.close();
});

test("the service worker refuses to fetch anything foreign for the page", async ({ page, context }) => {
  await Studio.open(page, "device=cpu");
  await expect(page.locator("#offline")).toBeVisible();
  await page.reload();
  await expect(page.getByRole("button", { name: "Play" })).toBeEnabled();
  const server = await teacher();
  const [worker] = context.serviceWorkers();
  // Its own answer to such a request, since the page's policy would stop it before.
  const answered = await worker?.evaluate(async (url) => {
    let answer: Promise<Response> | null = null;
    const event = new Event("fetch") as Event & Record<string, unknown>;
    Object.assign(event, { request: new Request(url), respondWith: (response: Promise<Response>) => (answer = Promise.resolve(response)) });
    self.dispatchEvent(event);
    return (await (answer as Promise<Response> | null))?.type ?? "not answered";
  }, server.url);
  expect(answered).toBe("error");
  expect(server.asked).toEqual([]);
  await server.close();
});

test(`${RUNS} runs over random seeds with canaries: nothing leaves but the briefs that were shown`, async ({ page, context }) => {
  const server = await teacher();
  const seen = await watchNetwork(context, page);
  await Studio.open(page, "device=cpu");
  await page.getByRole("radio", { name: "Your own" }).check();
  await choose(page, server);
  await page.getByLabel("Epsilon of a brief").fill("0.4");
  await page.getByLabel("Epsilon in all, at most").fill("100");
  const random = mulberry(7);
  const canaries: string[] = [];
  const allowed: string[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    const canary = `zq${Math.floor(random() * 1e12).toString(36)}x`;
    canaries.push(canary);
    const rows = Array.from({ length: 4 + Math.floor(random() * 40) }, (_, at) => seedOf(random, canary, at));
    await page.getByLabel("Seeds: your labelled examples").fill(rows.join("\n"));
    await page.locator("#brief-draw").click();
    // The one before is put away once it is sent. Two may well be the same, byte for byte: the noise is coarse.
    await expect(page.locator("#brief")).toBeVisible();
    await expect(page.getByLabel("I have read it")).toBeEnabled();
    await expect(page.getByLabel("I have read it")).not.toBeChecked();
    allowed.push((await page.locator("#brief-body").textContent()) ?? "");
    await readAndSend(page);
    await expect.poll(() => server.asked.length).toBe(run + 1);
    await expect(page.locator("#brief")).toBeHidden();
  }
  expect(server.asked.map(({ body }) => body)).toEqual(allowed);
  const own = new URL(page.url()).origin;
  const left = seen.filter(({ url }) => !url.startsWith(own) && !url.startsWith("blob:") && !url.startsWith("data:"));
  expect(left.length).toBeGreaterThanOrEqual(RUNS);
  for (const { url, body } of left) {
    expect(url).toBe(`${server.url}/chat/completions`);
    expect(["", ...allowed]).toContain(body);
  }
  const everything = JSON.stringify([seen, server.asked]);
  expect(canaries.filter((canary) => everything.includes(canary))).toEqual([]);
  await server.close();
});

test("the hub is its own hosts over https and nobody who looks like them", () => {
  for (const [address, hub] of [
    ["https://huggingface.co/a/b/resolve/main/model.safetensors", true],
    ["https://cas-bridge.xethub.hf.co/x?y=z", true],
    ["http://huggingface.co/", false],
    ["https://huggingface.co.example.com/", false],
    ["https://evilhuggingface.co/", false],
    ["https://evilhf.co/", false],
    ["https://huggingface.co:8443/", false],
  ] as const) {
    expect(isHub(new URL(address)), address).toBe(hub);
  }
  expect(PAGE_POLICY).toContain(`connect-src 'self' ${HUB_HOSTS.join(" ")};`);
  expect(PAGE_POLICY.startsWith("default-src 'none';")).toBe(true);
});

/** Small numbers that repeat. */
function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

function seedOf(random: () => number, canary: string, at: number): string {
  const forms = [`where is ${canary} now?`, `call ${canary} at +49 30 ${Math.floor(random() * 1e7)}`, `${canary}@example.org wrote "no" again`, `please book ${at} rooms for ${canary}`];
  const text = forms[Math.floor(random() * forms.length)] ?? "";
  return JSON.stringify({ text: `${text} ${at}`, label: at % 2 === 0 ? "first" : "second" });
}
