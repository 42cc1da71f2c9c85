/** What every app does with the package: load, teach, write, label, export, and the ways it can go wrong. */
import { Seedbed, SeedbedError, type Task } from "seedbed";

const task: Task = {
  name: "mood",
  instruction: "Say whether the message is glad or sad.",
  labels: ["glad", "sad"],
  seeds: [
    { text: "what a lovely morning", label: "glad" },
    { text: "the cake was wonderful", label: "glad" },
    { text: "we won the match today", label: "glad" },
    { text: "i love this little song", label: "glad" },
    { text: "my dog ran away last night", label: "sad" },
    { text: "the rain spoiled our trip", label: "sad" },
    { text: "nobody came to the party", label: "sad" },
    { text: "i lost my favourite ring", label: "sad" },
  ],
};

/** The code of the error that some work ends in. */
async function codeOf(work: () => unknown): Promise<string> {
  try {
    await work();
    return "none";
  } catch (error) {
    return error instanceof SeedbedError && error.remedy !== "" ? error.code : String(error);
  }
}

async function main(): Promise<unknown> {
  let loading = 0;
  const student = await Seedbed.load("bundled", { device: "cpu", onProgress: ({ done }) => void (loading = done) });
  const texts = await student.generate({ prompt: "Once upon a time", n: 3, maxTokens: 8, seed: 7 });
  const again = await student.generate({ prompt: "Once upon a time", n: 3, maxTokens: 8, seed: 7 });
  const unready = await codeOf(() => student.predict("what a day"));

  const run = student.evolve(task, { recipe: "psi", teacher: "offline", seed: 1, epochs: 1, rows: ["untouched", "seeds_only"] });
  const busy = await codeOf(() => student.evolve(task));
  const events: string[] = [];
  for await (const event of run) {
    events.push(event.type);
  }
  const report = await run.result;
  const adapter = await run.exportAdapter();
  const { label, probabilities } = await student.predict("what a lovely cake");

  const stopped = student.evolve(task, { seed: 2 });
  for await (const event of stopped) {
    if (event.type === "stage_started") {
      stopped.cancel();
    }
  }
  const cancelled = await codeOf(() => stopped.result);
  const superseded = await codeOf(() => run.exportAdapter());
  const afterwards = await student.generate({ prompt: "Once", n: 1, maxTokens: 2 });
  const aborted = await codeOf(() => {
    const abort = new AbortController();
    const work = student.generate({ prompt: "Once upon a time", n: 500, maxTokens: 400, signal: abort.signal });
    setTimeout(() => abort.abort(), 20);
    return work;
  });
  const embeddings = await student.embed(["what a lovely morning", "the rain"]);
  const badTask = await codeOf(() => student.check({ ...task, labels: ["glad"] }));
  const badSetting = await codeOf(() => student.generate({ prompt: "Once", topP: 2 }));
  student.dispose();
  return {
    loading,
    parameters: student.model.parameters,
    device: student.device,
    texts,
    again,
    events: [...new Set(events)],
    rows: Object.keys(report.rows),
    adapter: { config: JSON.parse(adapter.config) as unknown, bytes: adapter.weights.byteLength },
    label,
    sum: Object.values(probabilities).reduce((sum, share) => sum + share, 0),
    afterwards: afterwards.length,
    embedded: [embeddings.width, embeddings.values.length],
    codes: {
      unready,
      busy,
      cancelled,
      superseded,
      aborted,
      badTask,
      badSetting,
      disposed: await codeOf(() => student.generate({ prompt: "Once" })),
      hub: await codeOf(() => Seedbed.load({ hub: "someone/some-model" })),
      given: await codeOf(() => Seedbed.load("bundled", { signal: AbortSignal.abort() })),
    },
  };
}

main().then(
  (result) => void ((globalThis as { result?: unknown }).result = { result }),
  (error: unknown) => void ((globalThis as { result?: unknown }).result = { error: String(error) }),
);
