/** Bars of the figure that counts, with their 95 % intervals, as SVG. */
import type { RowName } from "#seedbed/events";
import type { Headline } from "../result/headline";
import { percent, ROW_TITLES } from "../words";
import { makeSvg } from "./dom";

const ROW_HEIGHT = 46;
const TOP = 6;
const AXIS = 24;
/** The numbers have this much room to the right of a full bar. */
const NUMBER_WIDTH = 74;

/** Drawn for a place of `width` CSS pixels, so that the letters keep their size on every screen. */
export function barsOf(measure: string, rows: readonly { name: RowName; figure: Headline | null }[], width: number): SVGElement {
  const full = Math.max(1, width - NUMBER_WIDTH);
  const bottom = TOP + rows.length * ROW_HEIGHT;
  const title = rows
    .map(({ name, figure }) => `${ROW_TITLES[name]}: ${figure === null ? "not measured" : percent(figure.value)}`)
    .join("; ");
  return makeSvg(
    "svg",
    { viewBox: `0 0 ${width} ${bottom + AXIS}`, role: "img", "aria-label": `${measure}. ${title}.` },
    ...grid(bottom, full),
    ...rows.flatMap(({ name, figure }, index) => bar(name, figure, TOP + index * ROW_HEIGHT, full)),
  );
}

function grid(bottom: number, full: number): SVGElement[] {
  return [0, 25, 50, 75, 100].flatMap((mark) => {
    const x = (mark / 100) * full;
    const anchor = mark === 0 ? "start" : "middle";
    return [
      makeSvg("line", { class: "grid", x1: x, x2: x, y1: TOP, y2: bottom }),
      makeSvg("text", { class: "axis", x, y: bottom + 17, "text-anchor": anchor }, `${mark} %`),
    ];
  });
}

function bar(name: RowName, figure: Headline | null, y: number, full: number): SVGElement[] {
  const title = makeSvg("text", { class: "bar-title", x: 0, y: y + 13 }, ROW_TITLES[name]);
  if (figure === null) {
    return [title, makeSvg("rect", { class: "bar-empty", x: 0, y: y + 19, width: full, height: 18, rx: 3 })];
  }
  const [end, low, high] = [figure.value, figure.low, figure.high].map((part) => part * full) as [number, number, number];
  const middle = y + 28;
  const whisker = { class: "whisker", y1: middle, y2: middle };
  return [
    title,
    makeSvg("rect", { class: `bar row-${name}`, "data-row": name, x: 0, y: y + 19, width: Math.max(1, end), height: 18, rx: 3 }),
    makeSvg("line", { ...whisker, x1: low, x2: high }),
    makeSvg("line", { ...whisker, x1: low, x2: low, y1: middle - 5, y2: middle + 5 }),
    makeSvg("line", { ...whisker, x1: high, x2: high, y1: middle - 5, y2: middle + 5 }),
    makeSvg("text", { class: "bar-value", x: Math.max(end, high) + 8, y: middle + 5 }, percent(figure.value)),
  ];
}
