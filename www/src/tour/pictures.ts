/** The tour's small pictures, all drawn from numbers. */
import { makeSvg } from "../ui/dom";
import { dpoLoss, interval, noisyCounts, WIDTH } from "./numbers";

const W = 340;
const H = 96;

function picture(label: string, ...parts: SVGElement[]): SVGElement {
  return makeSvg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": label }, ...parts);
}

function rect(kind: string, x: number, y: number, width: number, height: number): SVGElement {
  return makeSvg("rect", { class: kind, x, y, width: Math.max(1, width), height: Math.max(1, height), rx: 2 });
}

function words(x: number, y: number, text: string, anchor = "start"): SVGElement {
  return makeSvg("text", { x, y, "text-anchor": anchor }, text);
}

/** The frozen square, and the two thin matrices that are trained, all to one scale. */
export function loraPicture(rank: number): SVGElement {
  const side = 80;
  const thin = (rank / WIDTH) * side;
  return picture(
    `A frozen matrix of ${WIDTH} by ${WIDTH}, and beside it two of ${WIDTH} by ${rank}`,
    rect("still", 8, 8, side, side),
    words(8 + side / 2, 52, "frozen", "middle"),
    words(112, 52, "+"),
    rect("moving", 136, 8, thin, side),
    words(136 + thin + 10, 52, "×"),
    rect("moving", 136 + thin + 30, 8, side, thin),
    words(136 + thin + 38 + side, 20, "trained"),
  );
}

/** The loss over the margin. */
export function dpoPicture(beta: number): SVGElement {
  const most = 4;
  const points = Array.from({ length: 61 }, (_, index) => {
    const margin = -6 + index / 5;
    return `${20 + (index / 60) * 300},${80 - (Math.min(most, dpoLoss(beta, margin)) / most) * 70}`;
  });
  return picture(
    `The loss falls as the better answer gains on the worse; with beta ${beta} the more steeply, the larger beta`,
    makeSvg("line", { class: "axis-line", x1: 20, x2: 320, y1: 80, y2: 80 }),
    makeSvg("line", { class: "axis-line", x1: 170, x2: 170, y1: 8, y2: 80 }),
    makeSvg("polyline", { class: "curve", points: points.join(" ") }),
    words(20, 93, "worse one likelier"),
    words(320, 93, "better one likelier", "end"),
  );
}

/** Each label's true count as an outline, and what the brief would say as a bar. */
export function privacyPicture(counts: readonly number[], epsilon: number): SVGElement {
  const noisy = noisyCounts(counts, epsilon);
  const most = Math.max(1, ...counts, ...noisy);
  const width = Math.min(40, (W - 16) / Math.max(1, counts.length));
  const height = (value: number) => (value / most) * 74;
  return picture(
    `True counts ${counts.join(", ")}; with noise ${noisy.join(", ")}`,
    ...counts.flatMap((count, index) => {
      const x = 8 + index * width;
      const said = noisy[index] ?? 0;
      return [
        rect("moving", x, 78 - height(said), width - 6, height(said)),
        rect("outline", x, 78 - height(count), width - 6, height(count)),
        words(x + (width - 6) / 2, 93, String(said), "middle"),
      ];
    }),
  );
}

/** How far luck reaches with so many test rows, at an accuracy of 80 %. */
export function intervalPicture(n: number): SVGElement {
  const { low, high } = interval(0.8, n);
  const x = (part: number) => 20 + part * 300;
  return picture(
    `An accuracy of 80 % on ${n} test rows may be anything from ${Math.round(low * 100)} % to ${Math.round(high * 100)} %`,
    rect("still", 20, 38, 240, 18),
    makeSvg("line", { class: "whisker", x1: x(low), x2: x(high), y1: 47, y2: 47 }),
    makeSvg("line", { class: "whisker", x1: x(low), x2: x(low), y1: 38, y2: 56 }),
    makeSvg("line", { class: "whisker", x1: x(high), x2: x(high), y1: 38, y2: 56 }),
    words(x(0), 80, "0 %"),
    words(x(1), 80, "100 %", "end"),
    words(x((low + high) / 2), 24, `${Math.round(low * 100)} to ${Math.round(high * 100)} %`, "middle"),
  );
}
