/** The tasks that come with the page. */
import type { TaskFiles } from "#seedbed/protocol";

export interface Bundled {
  name: string;
  title: string;
  about: string;
}

export const BUNDLED: readonly Bundled[] = [
  {
    name: "snips_intent",
    title: "What does a voice command want?",
    about: "SNIPS: play music, book a table, ask for the weather … 7 intents",
  },
  {
    name: "clinc_domain",
    title: "What is a question about?",
    about: "CLINC: banking, travel, kitchen, small talk … 10 domains",
  },
  {
    name: "snips_playlist",
    title: "What is each part of a command?",
    about: "SNIPS: artist, playlist, its owner … 5 kinds of entities",
  },
  {
    name: "snips_which_playlist",
    title: "Which playlist is meant?",
    about: "SNIPS: an answer in words, out of the command",
  },
];

export async function fetchBundled(name: string): Promise<TaskFiles> {
  const [task, seeds, test] = await Promise.all(
    ["task.json", "seeds.jsonl", "test.jsonl"].map((file) => fetchText(`tasks/${name}/${file}`)),
  );
  return { task: task ?? "", seeds: seeds ?? "", test: test ?? "" };
}

async function fetchText(address: string): Promise<string> {
  const response = await fetch(address);
  if (!response.ok) {
    throw new Error(`${address} could not be fetched (status ${response.status}); build the page with its tasks.`);
  }
  return response.text();
}
