/** Derives the page's table of knobs from where the engine declares them, so that no knob, range or line of help is written twice. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";
import type { Knob, Switch } from "./src/recipe/knob.ts";

const NAME = "virtual:knobs";
const source = (path: string) => fileURLToPath(new URL(`../src/${path}`, import.meta.url));
const FILES = { knobs: source("evolve/knobs.rs"), settings: source("evolve/settings.rs"), cuts: source("curate/pack.rs") };

/** These have fields of their own on the page, or stand for nothing there. */
const ELSEWHERE = ["rows", "ablations", "seed", "instances", "rounds", "seeds_per_label", "test_limit", "epochs"];

export function knobs(): Plugin {
  return {
    name: "seedbed-knobs",
    resolveId: (id) => (id === NAME ? `\0${NAME}` : undefined),
    load(id) {
      if (id !== `\0${NAME}`) {
        return undefined;
      }
      for (const file of Object.values(FILES)) {
        this.addWatchFile(file);
      }
      return `export const KNOBS = ${JSON.stringify(readKnobs())};\nexport const SWITCHES = ${JSON.stringify(readSwitches())};`;
    },
  };
}

const DECLARED = /^ {4}(?:(Single|Any) )?(\w+)(?:: ([^=]+?))? = (.+?)(?:, in ([\d.]+)\.\.=([\d.]+))?(?:, for ([\w ]+))?;$/;

export function readKnobs(): Knob[] {
  const lines = readFileSync(FILES.knobs, "utf8").split("\n");
  const [begin, end] = [lines.indexOf("    of recipe;"), lines.indexOf("    beside:")];
  if (begin < 0 || end < begin) {
    throw new Error(`${FILES.knobs} declares no knobs in the form that the page reads; mend knobs-plugin.ts.`);
  }
  const knobs: Knob[] = [];
  let doc: string[] = [];
  for (const line of lines.slice(begin + 1, end)) {
    const said = /^ {4}\/\/\/ (.+)$/.exec(line)?.[1];
    if (said !== undefined) {
      doc.push(said);
      continue;
    }
    const found = DECLARED.exec(line);
    if (found === null) {
      if (line.trim() === "inside:") {
        continue;
      }
      throw new Error(`${FILES.knobs} has a knob that the page cannot read: ${line.trim()}`);
    }
    const [, , name = "", type, value = "", least, most, who] = found;
    const usual = type === undefined ? inner(value, lines.slice(end)) : value;
    if (!ELSEWHERE.includes(name)) {
      knobs.push({
        name,
        doc: doc.join(" ").replaceAll("`", ""),
        usual: /^[\d.]+$/.test(usual) ? String(Number(usual)) : "",
        recipes: (who ?? "psi lance evokd").toLowerCase().split(" ") as Knob["recipes"],
        ...kindOf(type, usual),
        ...(least === undefined ? {} : { min: Number(least), max: Number(most) }),
      });
    }
    doc = [];
  }
  return knobs;
}

function kindOf(type: string | undefined, usual: string): Pick<Knob, "kind" | "words"> {
  const plain = type?.replace(/^Option<(\w+)>$/, "$1");
  if (plain === "bool") {
    return { kind: "flag" };
  }
  if (plain === "f64" || (plain === undefined && usual.includes("."))) {
    return { kind: "number" };
  }
  return plain === undefined || plain === "usize" || plain === "u64" ? { kind: "whole" } : { kind: "word", words: variants(plain).map(({ name }) => name) };
}

/** The usual value of a knob that lies inside a field. */
function inner(path: string, beside: readonly string[]): string {
  const [field = "", part = ""] = path.split(".");
  const line = beside.find((each) => each.trimStart().startsWith(`${field}:`)) ?? "";
  const text = line.includes("Cuts::default()") ? readFileSync(FILES.cuts, "utf8") : line;
  const value = new RegExp(`\\b${part}: ([\\d.]+)`).exec(text)?.[1];
  if (value === undefined) {
    throw new Error(`The usual value of ${path} is not where knobs-plugin.ts looks for it.`);
  }
  return value;
}

function variants(type: string): { name: string; doc: string }[] {
  const text = readFileSync(FILES.settings, "utf8");
  const body = new RegExp(`pub enum ${type} \\{\\n([\\s\\S]*?)\\n\\}`).exec(text)?.[1];
  if (body === undefined) {
    throw new Error(`${FILES.settings} has no ${type}; mend knobs-plugin.ts.`);
  }
  const found: { name: string; doc: string }[] = [];
  let doc: string[] = [];
  for (const line of body.split("\n").map((each) => each.trim())) {
    const said = /^\/\/\/ (.+)$/.exec(line)?.[1];
    const name = /^(\w+),$/.exec(line)?.[1];
    if (said !== undefined) {
      doc.push(said);
    } else if (name !== undefined) {
      found.push({ name: name.replace(/(?!^)[A-Z]/g, "_$&").toLowerCase(), doc: doc.join(" ") });
      doc = [];
    }
  }
  return found;
}

/** The parts of each recipe that can be switched off. What each is begins with the recipe's name. */
export function readSwitches(): Switch[] {
  const recipes = { PSI: "psi", LANCE: "lance", EvoKD: "evokd" } as const;
  return variants("Ablation").map(({ name, doc }) => {
    const recipe = recipes[doc.split(" ")[0] as keyof typeof recipes];
    if (recipe === undefined) {
      throw new Error(`${name} in ${FILES.settings} does not say which recipe it belongs to.`);
    }
    return { name, recipe, doc };
  });
}
