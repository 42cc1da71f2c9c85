/** The page never stands still for long while its worker works. */
import { expect, Studio, test } from "./studio";

/** What a person does not notice. */
const MOST_MS = 50;

interface TraceEvent {
  name: string;
  ph: string;
  pid: number;
  tid: number;
  ts: number;
  dur?: number;
  /** Time on the processor, in microseconds: what the machine's other work takes is not counted. */
  tdur?: number;
  args?: { name?: string };
}

/** The tasks of the page's own thread, by their time on the processor, with what took most of it. */
function tasks(trace: Buffer): { ms: number; what: string }[] {
  const { traceEvents } = JSON.parse(trace.toString()) as { traceEvents: TraceEvent[] };
  const mains = traceEvents.filter((event) => event.name === "thread_name" && event.args?.name === "CrRendererMain");
  return mains.flatMap(({ pid, tid }) => {
    const own = traceEvents.filter((event) => event.pid === pid && event.tid === tid && event.ph === "X" && event.tdur !== undefined);
    return own
      .filter(({ name }) => name === "RunTask" || name === "ThreadControllerImpl::RunTask")
      .map(({ ts, dur = 0, tdur = 0 }) => {
        const inside = own.filter((event) => event.ts > ts && event.ts + (event.dur ?? 0) <= ts + dur && (event.tdur ?? 0) > tdur / 5);
        return { ms: tdur / 1000, what: inside.map((event) => `${event.name} ${((event.tdur ?? 0) / 1000).toFixed(0)}`).join(", ") };
      });
  });
}

test("no task of the page takes more than 50 ms of the processor while a run fills it", async ({ page, launched }) => {
  const studio = await Studio.open(page, "device=cpu&instances=60&test=70&epochs=2&seeds=4");
  await launched.startTracing(page, { categories: ["toplevel", "devtools.timeline"] });
  await studio.play.click();
  // By a function inside the page: an expectation asks from outside, again and again, and its asking would be measured too.
  await page.waitForFunction(() => document.documentElement.dataset["phase"] === "finished", undefined, { timeout: 9 * 60_000 });
  const found = tasks(await launched.stopTracing());
  // Without tasks that were seen, or their times, the next line would prove nothing.
  expect(found.filter(({ ms }) => ms > 0).length).toBeGreaterThan(100);
  expect(found.filter(({ ms }) => ms > MOST_MS)).toEqual([]);
  await studio.expectPhase("finished");
  expect(studio.errors).toEqual([]);
});
