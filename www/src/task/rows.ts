/** Labelled rows as the table shows them, read from the same forms as the engine reads, written as JSON lines. */
import type { TaskKind } from "#seedbed/events";
import { conllRows, entityRow, entityTypes, marked, unmarked } from "./entities";

export interface LabelledRow {
  /** Of entities, the sentence with its marks; of questions, the question. */
  text: string;
  /** Of entities, their types; of questions, the answer; of instructions, the response. */
  label: string;
  /** Other fields of a JSON line, which are the visitor's to keep. */
  rest?: Record<string, unknown>;
}

export type Read = { rows: LabelledRow[] } | { problem: string };

/** What the engine takes for the question of a row, and for its answer. */
const QUESTION = ["question", "text", "input"];
const ANSWER = ["answer", "output", "target", "label"];
const PROMPT = ["prompt", "instruction", "question", "text"];
const RESPONSE = ["completion", "chosen", "output", "response", "answer"];

/** The names of text and answer, where they have more than one. */
const NAMES: Partial<Record<TaskKind, readonly (readonly string[])[]>> = { qa: [QUESTION, ANSWER], instruct: [PROMPT, RESPONSE] };

/** The engine is the judge of what can be run; here a missing label or text is an empty cell, so that it can be filled in. */
export function readRows(source: string, kind: TaskKind = "classification"): Read {
  const text = source.replace(/^\uFEFF/, "");
  const first = text.split("\n").find((line) => line.trim() !== "");
  if (first === undefined) {
    return { rows: [] };
  }
  if (first.trimStart().startsWith("{")) {
    return eachLine(text, (line) => jsonRow(line, kind));
  }
  if (kind === "ner") {
    return conllRows(text);
  }
  const columns = columnsOf(first, kind);
  if (columns !== null) {
    return csvRows(text, columns);
  }
  return eachLine(text, tabRow);
}

export function writeRows(rows: readonly LabelledRow[], kind: TaskKind = "classification"): string {
  return rows.map((row) => JSON.stringify({ ...fieldsOf(row, kind), ...row.rest })).join("\n");
}

function fieldsOf({ text, label }: LabelledRow, kind: TaskKind): object {
  return kind === "ner" ? unmarked(text) : kind === "qa" ? { question: text, answer: label } : kind === "instruct" ? { prompt: text, completion: label } : { text, label };
}

function eachLine(text: string, read: (line: string) => LabelledRow | null): Read {
  const rows: LabelledRow[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") {
      continue;
    }
    const row = read(line.replace(/\r$/, ""));
    if (row === null) {
      return { problem: `Line ${index + 1} cannot be read as a row, so there is no table yet; correct it as text.` };
    }
    rows.push(row);
  }
  return { rows };
}

function jsonRow(line: string, kind: TaskKind): LabelledRow | null {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return null;
    }
    const fields = value as Record<string, unknown>;
    if (kind === "ner") {
      const found = entityRow(fields);
      return found === null ? null : { text: marked(found), label: entityTypes(found) };
    }
    const [question, answer] = NAMES[kind]?.map((names) => names.find((name) => name in fields)) ?? ["text", "label"];
    // A conversation is no row of two cells; it is left as it is written.
    if (kind === "instruct" && [question, answer].some((name) => name === undefined || typeof fields[name] !== "string")) {
      return null;
    }
    const rest = Object.fromEntries(Object.entries(fields).filter(([name]) => name !== question && name !== answer));
    const cell = (name: string | undefined) => (name === undefined ? "" : cellOf(fields[name]));
    return { text: cell(question), label: cell(answer), ...(Object.keys(rest).length === 0 ? {} : { rest }) };
  } catch {
    return null;
  }
}

/** Of several right answers, the first stands in the table. */
function cellOf(field: unknown): string {
  const one: unknown = Array.isArray(field) ? field[0] : field;
  return typeof one === "string" ? one : typeof one === "number" || typeof one === "boolean" ? String(one) : "";
}

function tabRow(line: string): LabelledRow | null {
  const tab = line.indexOf("\t");
  return tab < 0 ? null : { label: line.slice(0, tab).trim(), text: line.slice(tab + 1).trim() };
}

interface Columns {
  text: number;
  label: number;
}

function columnsOf(header: string, kind: TaskKind): Columns | null {
  const [texts = QUESTION, labels = ANSWER] = NAMES[kind] ?? [];
  const fields = (csvRecords(header)?.[0] ?? []).map((field) => field.trim().toLowerCase());
  const columns = { text: fields.findIndex((field) => texts.includes(field)), label: fields.findIndex((field) => labels.includes(field)) };
  return columns.text < 0 || columns.label < 0 ? null : columns;
}

function csvRows(text: string, columns: Columns): Read {
  const records = csvRecords(text);
  if (records === null) {
    return { problem: "A quote in the CSV is not closed, so there is no table yet; correct it as text." };
  }
  return {
    rows: records.slice(1).map((fields) => ({
      text: (fields[columns.text] ?? "").trim(),
      label: (fields[columns.label] ?? "").trim(),
    })),
  };
}

/** RFC 4180 records without the blank ones; `null` where a quote is not closed. */
function csvRecords(text: string): string[][] | null {
  const records: string[][] = [];
  let record: string[] = [];
  let field = "";
  let quoted = false;
  for (let at = 0; at <= text.length; at += 1) {
    const c = text[at];
    if (quoted) {
      if (c === undefined) {
        return null;
      }
      if (c === '"' && text[at + 1] === '"') {
        at += 1;
        field += '"';
      } else if (c === '"') {
        quoted = false;
      } else {
        field += c;
      }
    } else if (c === '"' && field === "") {
      quoted = true;
    } else if (c === "," || c === "\n" || c === undefined) {
      record.push(field.replace(/\r$/, ""));
      field = "";
      if (c !== ",") {
        if (record.some((value) => value.trim() !== "")) {
          records.push(record);
        }
        record = [];
      }
    } else {
      field += c;
    }
  }
  return records;
}
