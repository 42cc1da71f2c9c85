/** What a visitor downloads keeps to `budget.json`, and the README says how much it is. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync } from "node:zlib";
import { expect, test } from "@playwright/test";
import budget from "../budget.json" with { type: "json" };

const www = join(dirname(fileURLToPath(import.meta.url)), "..");

function files(folder: string, kinds: readonly string[]): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && kinds.includes(extname(entry.name)))
    .map((entry) => join(entry.parentPath, entry.name));
}

function sizes(of: readonly string[]): { raw: number; brotli: number } {
  expect(of.length).toBeGreaterThan(0);
  const bytes = of.map((file) => readFileSync(file));
  const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
  return { raw: sum(bytes.map((each) => each.length)), brotli: sum(bytes.map((each) => brotliCompressSync(each).length)) };
}

const engine = (name: string) => files(join(www, "dist/assets"), [".wasm"]).filter((file) => new RegExp(`/${name}-[^/]*$`).test(file));

const PARTS = [
  { name: "page (HTML, CSS, JavaScript)", limit: budget.page, of: () => files(join(www, "dist"), [".html", ".css", ".js"]) },
  { name: "CPU engine (wasm)", limit: budget.engines.cpu, of: () => engine("cpu") },
  { name: "WebGPU engine (wasm)", limit: budget.engines.gpu, of: () => engine("gpu") },
  { name: "package (JavaScript, without engine and model)", limit: budget.package, of: () => files(join(www, "../pkg/dist"), [".js"]) },
];

/** Between two measurements the README may be off by a tenth. */
const STALE = 0.1;

for (const part of PARTS) {
  test(`the ${part.name} keeps to the budget and has its line in the README`, () => {
    const { raw, brotli } = sizes(part.of());
    const line = `| ${part.name} | ${raw / 1000} | ${brotli / 1000} | ${part.limit / 1000} |`;
    expect(brotli, line).toBeLessThanOrEqual(part.limit);
    const readme = readFileSync(join(www, "../README.md"), "utf8");
    const cells = readme.split("\n").find((row) => row.startsWith(`| ${part.name} |`))?.split("|").map((cell) => Number(cell.replaceAll(",", "")));
    expect(cells, `README.md has no line ${line}`).toBeDefined();
    const [, , saidRaw = 0, saidBrotli = 0, saidLimit = 0] = cells ?? [];
    expect(Math.abs(saidRaw * 1000 - raw), line).toBeLessThan(raw * STALE);
    expect(Math.abs(saidBrotli * 1000 - brotli), line).toBeLessThan(brotli * STALE);
    expect(saidLimit * 1000, line).toBe(part.limit);
  });
}
