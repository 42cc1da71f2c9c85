/** Play, Stop, and how far the run is. */
import type { Recipe, Stage } from "#seedbed/events";
import { RECIPES, writes } from "../recipe/recipes";
import { recipeOf } from "../recipe/rows";
import type { State } from "../state";
import { bytes, count, STAGE_TITLES, stageWords, timeLeft } from "../words";
import { byId, make, setText, showError } from "./dom";
import { isBusy } from "./task";

export class RunBar {
  private readonly play = byId("play", HTMLButtonElement);
  private readonly stop = byId("stop", HTMLButtonElement);
  private readonly words = byId("stage-words", HTMLSpanElement);
  private readonly left = byId("time-left", HTMLSpanElement);
  private readonly overall = byId("overall", HTMLProgressElement);
  private readonly error = byId("run-error", HTMLParagraphElement);
  private readonly spoken = byId("spoken", HTMLParagraphElement);
  /** Play or Stop has the focus, or lost it because neither could be pressed. */
  private holdsFocus = false;
  private recipe: Recipe | null = null;
  private steps: { stage: Stage; item: HTMLElement }[] = [];

  constructor(onPlay: () => void, onStop: () => void) {
    this.play.addEventListener("click", onPlay);
    this.stop.addEventListener("click", onStop);
  }

  draw(state: State): void {
    const { run } = state;
    const busy = isBusy(state);
    document.documentElement.dataset.phase = run.phase;
    this.setDisabled(busy || state.engine === null, !busy || run.phase === "stopping");
    setText(this.words, wordsOf(state));
    setText(this.left, run.phase === "running" && run.secondsLeft !== null ? timeLeft(run.secondsLeft) : "");
    this.drawOverall(state);
    showError(this.error, run.error ?? state.engineError);
    const recipe = recipeOf(state);
    if (recipe !== this.recipe) {
      this.recipe = recipe;
      this.steps = RECIPES[recipe].stages.map((stage) => ({ stage, item: make("li", {}, STAGE_TITLES[stage]) }));
      byId("steps", HTMLOListElement).replaceChildren(...this.steps.map((step) => step.item));
    }
    for (const { stage, item } of this.steps) {
      const now = busy && run.stage?.stage === stage;
      const done = run.phase === "finished" || (run.stagesDone[stage] ?? 0) >= timesOf(recipe, stage, state);
      item.dataset.state = now ? "now" : done ? "done" : "";
      item.toggleAttribute("aria-current", now);
    }
    setText(this.spoken, spokenOf(state));
    document.title = run.phase === "running" ? `${Math.floor(run.overall * 100)} % · Seedbed` : "Seedbed";
  }

  /** A disabled button loses the keyboard's focus, so the one that can be pressed next takes it. */
  private setDisabled(play: boolean, stop: boolean): void {
    const focused = document.activeElement;
    if (focused === this.play || focused === this.stop) {
      this.holdsFocus = true;
    } else if (focused !== null && focused !== document.body) {
      // The person went elsewhere meanwhile.
      this.holdsFocus = false;
    }
    this.play.disabled = play;
    this.stop.disabled = stop;
    const next = stop ? (play ? null : this.play) : this.stop;
    if (this.holdsFocus && next !== null) {
      next.focus({ preventScroll: true });
      this.holdsFocus = false;
    }
  }

  private drawOverall(state: State): void {
    const { phase, overall, loading } = state.run;
    if (phase === "loading" && loading === null) {
      this.overall.removeAttribute("value");
    } else {
      this.overall.value = phase === "loading" ? 0 : overall;
    }
  }
}

/** As the engine's `Settings::learns_rules`. */
function learnsRules({ settings, boundary }: State): boolean {
  const said = settings.knobs["learn_rules"] ?? "taught";
  return said === "always" || (said === "taught" && (boundary.teacher !== "offline" || boundary.set !== null));
}

/** How often a stage comes in a run over these rows; what comes back in every round is over when the run is. */
function timesOf(recipe: Recipe, stage: Stage, state: State): number {
  const { rows } = state.settings;
  if (recipe !== "psi" && stage !== "principles" && stage !== "warm_up") {
    return Infinity;
  }
  switch (stage) {
    case "principles":
      // Written, and then voted on by the seeds.
      return rows.includes("psi") ? 2 : 1;
    case "generate":
      return Math.max(1, rows.filter(writes).length);
    case "train": {
      // What is written from rules that are learnt is read by one who has learnt them; on all else that is written the student
      // of the seeds votes, and so is trained even where its row is not wanted.
      const ruled = rows.includes("psi") && learnsRules(state);
      const voted = rows.filter((row) => writes(row) && !(ruled && row === "psi"));
      const voter = voted.length > 0 && !rows.includes("seeds_only") ? 1 : 0;
      return Math.max(1, rows.filter((row) => row !== "untouched").length + voter + (ruled ? 1 : 0));
    }
    case "evaluate":
      return rows.length;
    default:
      return 1;
  }
}

function wordsOf(state: State): string {
  const { run } = state;
  if (run.source !== "engine") {
    const from = run.source === "file" ? "Opened from a file" : "Brought back from this browser's storage";
    return run.phase === "finished" ? `${from}.` : `${from}; the run had not ended.`;
  }
  switch (run.phase) {
    case "idle":
      return state.engine === null ? (state.engineError === null ? "Getting ready …" : "Not ready.") : "Ready.";
    case "loading":
      return loadingWords(run.loading);
    case "running":
      return run.stage === null ? "Beginning …" : `${roundWords(state)}${stageWords(run.stage)}`;
    case "stopping":
      return "Stopping …";
    case "stopped":
      return "Stopped. What was made so far is kept.";
    case "failed":
      return "The run ended early. What was made so far is kept.";
    case "finished":
      return "Finished.";
  }
}

function roundWords(state: State): string {
  const { run, settings } = state;
  const rounds = settings.rounds ?? RECIPES[recipeOf(state)].rounds;
  return run.round < 1 || run.round > rounds ? "" : `Round ${count(run.round)} of ${count(rounds)}: `;
}

function loadingWords(loading: State["run"]["loading"]): string {
  if (loading === null) {
    return "Loading the model …";
  }
  return `Loading the model: ${bytes(loading.done)}${loading.total === null ? "" : ` of ${bytes(loading.total)}`}`;
}

/** What a screen reader is told: each stage once, not each step. */
function spokenOf(state: State): string {
  const { run } = state;
  if (run.phase === "running" && run.stage !== null) {
    return `${roundWords(state)}${stageWords({ ...run.stage, total: 0 })}`;
  }
  return run.phase === "loading" ? "Loading the model" : run.phase === "idle" ? "" : wordsOf(state);
}
