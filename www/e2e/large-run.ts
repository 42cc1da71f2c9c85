/** Runs that were never run, as files: as large as one may become, or with just the events that a test is about. */

const LABELS = ["AddToPlaylist", "BookRestaurant", "GetWeather", "PlayMusic", "RateBook", "SearchCreativeWork", "SearchScreeningEvent"];
const ROWS = ["untouched", "seeds_only", "direct", "psi"] as const;
const WORDS = "please play the next song of my long list for tonight in a warm room while rain falls over every quiet street and nobody hears it".split(" ");

/** A row of numbers that looks drawn by chance and is the same each time. */
function drawn(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return Math.floor((state / 2147483648) * below);
  };
}

export function runFile(events: readonly object[], more: object = {}): { name: string; mimeType: string; buffer: Buffer } {
  const run = { format: "seedbed-run", version: 1, settings: "", events, edits: [], adapter: null, own: null, ledger: null, principles: null, ...more };
  return { name: "run.json", mimeType: "application/json", buffer: Buffer.from(JSON.stringify(run)) };
}

export function started(recipe: string, seeds = 70, test = 0): object {
  return { type: "run_started", task: "snips_intent", model: "seedbed-3m", device: "cpu", seed: 1, recipe, kind: "classification", labels: LABELS, seeds, test, warnings: [], memory: null };
}

/** A finished run with so many instances, long trainings, many test rows and an adapter. */
export function largeRun(instances: number): ReturnType<typeof runFile> {
  const random = drawn(7);
  const text = () => Array.from({ length: 6 + random(9) }, () => WORDS[random(WORDS.length)]).join(" ");
  const principles = Array.from({ length: 80 }, (_, at) => ({
    id: `p${at}`,
    level: ["task", "label", "instance"][at % 3],
    label: at % 3 === 1 ? LABELS[at % 7] : null,
    text: `Write ${text()}.`,
    polarity: at % 5 === 0 ? "avoid" : "do",
    support: at,
  }));
  const tested = Array.from({ length: 1000 }, (_, at) => ({ text: text(), label: at % 7 }));
  const metrics = { accuracy: 0.5, macro_f1: 0.5, low: 0.4, high: 0.6, n: tested.length };
  const events = [
    started("psi", 70, tested.length),
    ...principles.map((principle) => ({ type: "principle", principle })),
    ...principles.map(({ id }, at) => ({ type: "verdict", verdict: { id, reason: at % 4 === 0 ? "no_gain" : "kept", votes: at % 9, gain: 1 } })),
    ...Array.from({ length: instances }, (_, index) => ({
      type: "instance",
      row: index % 3 === 0 ? "direct" : "psi",
      index,
      label: LABELS[random(7)],
      text: text(),
      accepted: index % 4 !== 0,
      reason: index % 4 === 0 ? "too short" : null,
      refusal: index % 4 === 0 ? "length" : null,
      principles: [`p${random(80)}`, `p${random(80)}`],
      round: 1,
      model: "seedbed-3m",
      seed: index,
    })),
    { type: "tested", rows: tested },
    ...ROWS.flatMap((row) => [
      ...(row === "untouched" ? [] : Array.from({ length: 600 }, (_, at) => ({ type: "train_step", row, step: at + 1, total: 600, loss: 2 / (1 + at / 50), learning_rate: 1e-3, grad_norm: 1, num_tokens: at * 500 }))),
      { type: "row_finished", row, metrics, confusion: LABELS.map(() => LABELS.map(() => 20)), predicted: tested.map(() => random(7)) },
    ]),
    {
      type: "finished",
      report: {
        task: "snips_intent",
        model: "seedbed-3m",
        device: "cpu",
        seed: 1,
        recipe: "psi",
        rows: Object.fromEntries(ROWS.map((row) => [row, metrics])),
        instances: { generated: instances, accepted: instances, refused: {} },
        teacher: { kind: "offline", requests: 0, bytes: 0 },
        seconds: { all: 60 },
      },
    },
  ];
  const weights = Buffer.from(Array.from({ length: 1 << 20 }, (_, at) => at % 251)).toString("base64");
  return runFile(events, { adapter: { config: "{}", weights } });
}
