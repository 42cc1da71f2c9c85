/** The map of instances and seeds; drawn once a run of this tab is over, since the student itself says where a text lies. */
import type { TaskKind } from "#seedbed/events";
import type { Embeddings } from "#seedbed/protocol";
import { edited } from "../instances/edits";
import { type Marked, MOST, mapOf, type Place, type RunMap } from "../map/map";
import type { RunView } from "../run-view";
import type { State } from "../state";
import { unmarked } from "../task/entities";
import type { LabelledRow } from "../task/rows";
import { count, percent, plural } from "../words";
import { byId, emptyHint, make, makeSvg, setText } from "./dom";

const WIDTH = 1000;
const HEIGHT = 480;
const EDGE = 24;
/** Hues of the style sheet; more labels than that share them. */
const HUES = 10;

export interface MapEvents {
  /** Brings the student of a stored run back into the engine. */
  revive(): Promise<void>;
  seeds(): Promise<readonly LabelledRow[]>;
  embed(texts: string[], signal: AbortSignal): Promise<Embeddings>;
}

export class MapPlace {
  private readonly box = byId("map-box", HTMLDivElement);
  private readonly legend = byId("map-legend", HTMLUListElement);
  private readonly words = byId("map-words", HTMLParagraphElement);
  private readonly said = byId("map-said", HTMLParagraphElement);
  /** What is drawn, or about to be. */
  private drawn = "";
  private work = new AbortController();

  constructor(private readonly events: MapEvents) {
    this.clear("Drawn once a run is over.");
  }

  draw(state: State): void {
    const { run } = state;
    const wanted = run.phase === "finished" && state.engineHasRun && run.instances.length > 0 ? run.run : -1;
    // Another run that cannot be drawn yet is another reason why.
    const key = `${wanted}:${run.run}:${run.phase}:${state.opened?.adapter == null}`;
    if (key === this.drawn) {
      return;
    }
    this.drawn = key;
    this.work.abort();
    if (wanted === -1) {
      const back = run.phase === "finished" && run.source !== "engine" && run.instances.length > 0;
      this.clear(back ? "The student says where a text lies; it is back with its run." : "Drawn once a run is over.");
      if (back && state.opened?.adapter != null) {
        const draw = make("button", { type: "button", class: "small" }, "Draw the map");
        draw.addEventListener("click", () => {
          this.clear("Bringing the student back …");
          this.events.revive().catch((thrown: unknown) => this.clear(`The student could not be brought back (${thrown instanceof Error ? thrown.message : String(thrown)}).`));
        });
        this.box.append(draw);
      }
      return;
    }
    this.work = new AbortController();
    void this.fill(run, this.work.signal);
  }

  private async fill(run: RunView, signal: AbortSignal): Promise<void> {
    this.clear("Asking the student where each text lies …");
    try {
      const labels = run.started?.labels ?? [];
      const places = [...(await this.seeds(labels, run.started?.kind ?? "classification")), ...instancesOf(run)];
      const map = await mapOf(places, await this.events.embed(places.map((place) => place.text), signal));
      if (!signal.aborted) {
        this.show(map, labels);
      }
    } catch (thrown) {
      if (!signal.aborted) {
        this.clear(`The map could not be drawn (${thrown instanceof Error ? thrown.message : String(thrown)}).`);
      }
    }
  }

  private async seeds(labels: readonly string[], kind: TaskKind): Promise<Place[]> {
    // Instructions are one group, whatever the response.
    const all = kind === "instruct" ? labels[0] : undefined;
    const rows = (await this.events.seeds()).map(kind === "ner" ? ofEntities(labels) : ({ text, label }) => ({ text, label: all ?? label }));
    return rows
      .filter((row) => kind === "qa" || labels.includes(row.label))
      .slice(0, MOST.seeds)
      .map((row) => ({ ...row, kind: "seed" }));
  }

  private show(map: RunMap, labels: readonly string[]): void {
    const svg = makeSvg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `Map of ${plural(map.points.length, "text")}. ${wordsOf(map)}` });
    // Seeds last, so that they lie above what was made from them.
    for (const point of [...map.points].reverse()) {
      const mark = markOf(point, labels.indexOf(point.label));
      mark.addEventListener("pointerenter", () => this.tell(point, map));
      mark.addEventListener("click", () => this.tell(point, map));
      svg.append(mark);
    }
    this.box.replaceChildren(svg);
    this.legend.replaceChildren(
      ...labels.map((label, at) => make("li", { class: `hue-${at % HUES}` }, label)),
      ...(["seed", "accepted", "refused", "copy", "hole"] as const).map((kind) => make("li", { class: `sign sign-${kind}` }, SIGNS[kind])),
    );
    setText(this.words, `${wordsOf(map)} The two directions hold ${percent(map.held)} of all differences; what is near here may yet be far apart.`);
    setText(this.said, "Point at a mark to read its text.");
  }

  private tell(point: Marked, map: RunMap): void {
    const kind = point.kind === "seed" ? "seed" : `${point.kind} instance`;
    const twin = point.copyOf === null ? null : map.points[point.copyOf];
    const more = twin == null ? "" : ` Nearly the same as ${twin.kind === "seed" ? "the seed" : ""} “${twin.text}”.`;
    setText(this.said, `${point.label}, ${kind}: “${point.text}”.${more}`);
  }

  private clear(hint: string): void {
    this.box.replaceChildren(emptyHint(hint));
    this.legend.replaceChildren();
    setText(this.words, "");
    setText(this.said, "");
  }
}

/** A text counts in the group of its first type. */
function ofEntities(labels: readonly string[]): (row: LabelledRow) => { text: string; label: string } {
  return ({ text: source }) => {
    const { text, entities } = unmarked(source);
    return { text, label: entities[0]?.label ?? labels.at(-1) ?? "" };
  };
}

const SIGNS = {
  seed: "seed",
  accepted: "accepted",
  refused: "refused",
  copy: "nearly the same as another",
  hole: "seed without instances near it",
};

/** What was written from principles, where that was done; the newest of too many. */
function instancesOf(run: RunView): Place[] {
  const rows = new Set(run.instances.map((instance) => instance.row));
  const row = rows.has("psi") ? "psi" : run.instances.at(-1)?.row;
  return run.instances
    .map((written, index) => edited(written, run.edits.get(index)))
    .filter((instance) => instance.row === row && !instance.deleted && instance.text !== "")
    .slice(-MOST.instances)
    .map(({ text, label, accepted }) => ({ text, label, kind: accepted ? "accepted" : "refused" }));
}

function markOf(point: Marked, label: number): SVGElement {
  const x = EDGE + point.x * (WIDTH - 2 * EDGE);
  const y = EDGE + point.y * (HEIGHT - 2 * EDGE);
  const classes = `mark mark-${point.kind}${label < 0 ? "" : ` hue-${label % HUES}`}`;
  const move = { transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})`, class: classes };
  const sign =
    point.kind === "seed"
      ? makeSvg("path", { d: "M0-8 8 0 0 8-8 0Z" })
      : point.kind === "accepted"
        ? makeSvg("circle", { r: 5.5 })
        : makeSvg("path", { d: "M-4-4 4 4M4-4-4 4" });
  return makeSvg(
    "g",
    move,
    point.hole ? makeSvg("circle", { r: 14, class: "hole" }) : null,
    point.copyOf === null ? null : makeSvg("circle", { r: 9, class: "copy" }),
    sign,
  );
}

function wordsOf(map: RunMap): string {
  const seeds = map.points.filter((point) => point.kind === "seed").length;
  return `${plural(map.copies, "instance lies", "instances lie")} nearly where another text does. ${count(map.holes)} of ${plural(seeds, "seed")} ${map.holes === 1 ? "has" : "have"} no accepted instance of the same label as near as the next seed.`;
}
