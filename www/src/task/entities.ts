/**
 * Sentences with entities: out of the forms that the engine reads, and into one that a person can type:
 * `fly to [London](city) today`.
 */
import type { Entity } from "#seedbed/events";
import type { LabelledRow, Read } from "./rows";

export interface Sentence {
  text: string;
  entities: Entity[];
}

const MARK = /\[([^[\]]+)\]\(([^()]+)\)/gu;

/** The sentence with its entities marked. Places count characters, as the engine's do. */
export function marked({ text, entities }: Sentence): string {
  return parts({ text, entities })
    .map(({ text: part, label }) => (label === null ? part : `[${part}](${label})`))
    .join("");
}

/** The sentence in pieces, those that are entities with their type. What lies over another is left out. */
export function parts({ text, entities }: Sentence): { text: string; label: string | null }[] {
  const letters = [...text];
  const found: { text: string; label: string | null }[] = [];
  let at = 0;
  for (const { start, end, label } of [...entities].sort((a, b) => a.start - b.start)) {
    if (start < at || end > letters.length || start >= end) {
      continue;
    }
    if (start > at) {
      found.push({ text: letters.slice(at, start).join(""), label: null });
    }
    found.push({ text: letters.slice(start, end).join(""), label });
    at = end;
  }
  if (at < letters.length) {
    found.push({ text: letters.slice(at).join(""), label: null });
  }
  return found;
}

export function unmarked(source: string): Sentence {
  const entities: Entity[] = [];
  let text = "";
  let read = 0;
  for (const found of source.matchAll(MARK)) {
    const [whole, words = "", label = ""] = found;
    text += source.slice(read, found.index);
    const start = [...text].length;
    text += words;
    entities.push({ start, end: start + [...words].length, label: label.trim() });
    read = found.index + whole.length;
  }
  return { text: text + source.slice(read), entities };
}

/** The types, each with what has it; as one line, by which two rows can be told apart. */
export function entityTypes({ text, entities }: Sentence): string {
  const letters = [...text];
  return entities.map(({ start, end, label }) => `${label}: ${letters.slice(start, end).join("")}`).join("; ");
}

/** `null` where the fields are no sentence with entities. */
export function entityRow(fields: Record<string, unknown>): Sentence | null {
  const { tokens, text } = fields;
  if (isTexts(tokens)) {
    const tags = fields["tags"] ?? fields["ner_tags"];
    return isTexts(tags) && tags.length === tokens.length ? ofTags(tokens, tags) : null;
  }
  const spans = fields["entities"] ?? fields["spans"] ?? [];
  if (typeof text !== "string" || !Array.isArray(spans)) {
    return null;
  }
  const entities = spans.map((span: unknown) => {
    const [start, end, label] = Array.isArray(span) ? span : typeof span === "object" && span !== null ? ["start", "end", "label"].map((name) => (span as Record<string, unknown>)[name]) : [];
    return typeof start === "number" && typeof end === "number" && typeof label === "string" ? { start, end, label } : null;
  });
  return entities.includes(null) ? null : { text, entities: entities.filter((entity) => entity !== null) };
}

/** CoNLL: a token a line, its tag in the last column, sentences apart by a blank line. */
export function conllRows(source: string): Read {
  const rows: LabelledRow[] = [];
  let [tokens, tags]: [string[], string[]] = [[], []];
  const end = () => {
    if (tokens.length > 0) {
      const sentence = ofTags(tokens, tags);
      rows.push({ text: marked(sentence), label: entityTypes(sentence) });
    }
    [tokens, tags] = [[], []];
  };
  for (const [index, line] of source.split("\n").entries()) {
    const columns = line.trim().split(/\s+/);
    if (line.trim() === "" || columns[0] === "-DOCSTART-") {
      end();
    } else if (columns.length < 2) {
      return { problem: `Line ${index + 1} has a token without a tag, so there is no table yet; correct it as text.` };
    } else {
      tokens.push(columns[0] ?? "");
      tags.push(columns.at(-1) ?? "O");
    }
  }
  end();
  return { rows };
}

/** Reads BIO and its kin leniently; the engine is the judge of what can be run. */
function ofTags(tokens: readonly string[], tags: readonly string[]): Sentence {
  const entities: Entity[] = [];
  let text = "";
  let before = "O";
  for (const [at, token] of tokens.entries()) {
    text += at === 0 ? "" : " ";
    const start = [...text].length;
    text += token;
    const end = start + [...token].length;
    const [, prefix = "O", label = ""] = /^([BIESLU])-(.+)$/.exec(tags[at] ?? "O") ?? [];
    const last = entities.at(-1);
    if (label !== "" && (prefix === "I" || prefix === "E" || prefix === "L") && before === label && last !== undefined) {
      last.end = end;
    } else if (label !== "") {
      entities.push({ start, end, label });
    }
    before = label === "" ? "O" : label;
  }
  return { text, entities };
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === "string");
}
