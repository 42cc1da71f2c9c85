/** Labelled rows as the table shows them, read from the same three forms as the engine reads, written as JSON lines. */

export interface LabelledRow {
  text: string;
  label: string;
  /** Other fields of a JSON line, which are the visitor's to keep. */
  rest?: Record<string, unknown>;
}

export type Read = { rows: LabelledRow[] } | { problem: string };

/** The engine is the judge of what can be run; here a missing label or text is an empty cell, so that it can be filled in. */
export function readRows(source: string): Read {
  const text = source.replace(/^\uFEFF/, "");
  const first = text.split("\n").find((line) => line.trim() !== "");
  if (first === undefined) {
    return { rows: [] };
  }
  if (first.trimStart().startsWith("{")) {
    return eachLine(text, jsonRow);
  }
  const columns = columnsOf(first);
  if (columns !== null) {
    return csvRows(text, columns);
  }
  return eachLine(text, tabRow);
}

export function writeRows(rows: readonly LabelledRow[]): string {
  return rows.map(({ text, label, rest }) => JSON.stringify({ text, label, ...rest })).join("\n");
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

function jsonRow(line: string): LabelledRow | null {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return null;
    }
    const { text, label, ...rest } = value as Record<string, unknown>;
    const cell = (field: unknown) => (typeof field === "string" ? field : typeof field === "number" ? String(field) : "");
    return { text: cell(text), label: cell(label), ...(Object.keys(rest).length === 0 ? {} : { rest }) };
  } catch {
    return null;
  }
}

function tabRow(line: string): LabelledRow | null {
  const tab = line.indexOf("\t");
  return tab < 0 ? null : { label: line.slice(0, tab).trim(), text: line.slice(tab + 1).trim() };
}

interface Columns {
  text: number;
  label: number;
}

function columnsOf(header: string): Columns | null {
  const fields = (csvRecords(header)?.[0] ?? []).map((field) => field.trim().toLowerCase());
  const columns = { text: fields.indexOf("text"), label: fields.indexOf("label") };
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
