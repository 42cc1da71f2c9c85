/** Principles that the next run goes by: a tree to read and edit, files in and out, and what changed from one set to the next. */
import { changes } from "../boundary/diff";
import type { Teaching } from "../boundary/teaching";
import { fileName, save } from "../downloads";
import type { Principle } from "#seedbed/events";
import type { PrincipleSet } from "#seedbed/protocol";
import type { State, Store } from "../state";
import { plural } from "../words";
import { byId, make, setText } from "./dom";
import { isBusy } from "./task";

const LEVELS: readonly [Principle["level"], string][] = [
  ["task", "The task"],
  ["label", "Each label"],
  ["instance", "Each instance"],
];

export class RulesPlace {
  private readonly details = byId("rules", HTMLDetailsElement);
  private readonly title = byId("rules-title", HTMLElement);
  private readonly lead = byId("rules-lead", HTMLParagraphElement);
  private readonly tree = byId("rules-tree", HTMLDivElement);
  private readonly write = byId("rules-write", HTMLButtonElement);
  private readonly exportButton = byId("rules-export", HTMLButtonElement);
  private readonly forget = byId("rules-forget", HTMLButtonElement);
  private readonly diff = byId("rules-diff", HTMLDetailsElement);
  private readonly diffTitle = byId("rules-diff-title", HTMLElement);
  private readonly changes = byId("rules-changes", HTMLUListElement);
  private drawn: PrincipleSet | null = null;
  private size = -1;
  private added = 0;

  constructor(
    teaching: Teaching,
    private readonly store: Store,
  ) {
    const file = byId("rules-file", HTMLInputElement);
    byId("rules-import", HTMLButtonElement).addEventListener("click", () => file.click());
    file.addEventListener("change", () => {
      const chosen = file.files?.[0];
      file.value = "";
      if (chosen !== undefined) {
        void chosen.text().then((text) => teaching.bring(text, `file ${chosen.name}`));
      }
    });
    this.write.addEventListener("click", () => void teaching.writeOffline());
    this.forget.addEventListener("click", () => teaching.forget());
    this.exportButton.addEventListener("click", () => this.export());
  }

  draw(state: State): void {
    const { set, versions } = state.boundary;
    const busy = isBusy(state) || state.boundary.phase !== "idle";
    this.write.disabled = busy || state.summary === null;
    this.exportButton.disabled = set === null;
    this.forget.disabled = busy || set === null;
    this.tree.hidden = set === null;
    setText(this.title, set === null ? "Principles of your own" : `Principles of the next run (${set.principles.length})`);
    setText(
      this.lead,
      set === null
        ? "The next run writes its own. To change them before it begins, start from the offline teacher's, from a file or from an endpoint's answer."
        : `The next run goes by these, from: ${versions.at(-1)?.from ?? "you"}.`,
    );
    if (set !== this.drawn || set?.principles.length !== this.size) {
      const fresh = set !== this.drawn;
      this.drawn = set;
      this.size = set?.principles.length ?? 0;
      this.tree.replaceChildren(...(set === null ? [] : LEVELS.map(([level, title]) => this.level(set, level, title))));
      if (fresh && set !== null) {
        this.details.open = true;
      }
      this.drawChanges(state);
    }
  }

  private level(set: PrincipleSet, level: Principle["level"], title: string): HTMLElement {
    const list = make("ul", {});
    const rules = set.principles.filter((principle) => principle.level === level);
    const labels = level === "label" ? (this.store.state.summary?.labels ?? []) : [null];
    for (const label of labels) {
      const own = rules.filter((rule) => label === null || rule.label === label);
      const items = own.map((rule) => this.item(set, rule));
      const add = make("button", { type: "button", class: "link", "aria-label": `Add a rule for ${label ?? title.toLowerCase()}` }, "Add a rule");
      add.addEventListener("click", () => this.add(set, level, label));
      const inner = make("ul", {}, ...items, make("li", {}, add));
      list.append(make("li", {}, label === null ? null : make("h4", {}, label), inner));
    }
    return make("section", {}, make("h3", {}, title, make("small", {}, plural(rules.length, "rule"))), list);
  }

  private item(set: PrincipleSet, principle: Principle): HTMLElement {
    const text = make("textarea", { rows: "1", maxlength: "200", "aria-label": `Rule ${principle.id}` });
    text.value = principle.text;
    text.addEventListener("input", () => {
      principle.text = text.value.replaceAll("\n", " ");
    });
    text.addEventListener("change", () => this.edited(set));
    const polarity = make("select", { "aria-label": `Do or avoid, rule ${principle.id}` }, make("option", { value: "do" }, "Do"), make("option", { value: "avoid" }, "Avoid"));
    polarity.value = principle.polarity;
    polarity.addEventListener("change", () => {
      principle.polarity = polarity.value as Principle["polarity"];
      this.edited(set);
    });
    const remove = make("button", { type: "button", class: "small", "aria-label": `Delete rule ${principle.id}` }, "Delete");
    remove.addEventListener("click", () => {
      set.principles = set.principles.filter((other) => other !== principle);
      this.edited(set);
      this.tree.focus();
    });
    const values = principle.values ?? [];
    return make("li", { class: "rule" }, polarity, text, remove, values.length === 0 ? null : make("small", {}, `${principle.attribute ?? "varies"}: ${values.join(", ")}`));
  }

  private add(set: PrincipleSet, level: Principle["level"], label: string | null): void {
    this.added += 1;
    const id = `own/${Date.now().toString(36)}-${this.added}`;
    set.principles.push({ id, level, label, text: "Write a new rule here.", polarity: "do", support: 0 });
    this.edited(set);
    this.tree.querySelector<HTMLTextAreaElement>(`[aria-label="Rule ${id}"]`)?.select();
  }

  private edited(set: PrincipleSet): void {
    this.store.update(({ boundary }) => {
      boundary.set = set.principles.length === 0 ? null : set;
    });
    this.store.draw();
    this.drawChanges(this.store.state);
  }

  /** Against the set as it came, or as the one before it came. */
  private drawChanges({ boundary: { set, versions } }: State): void {
    const [before, last] = [versions.at(-2), versions.at(-1)];
    const own = set === null || last === undefined ? [] : changes(last.set, set);
    const since = own.length > 0 ? last : before;
    const found = own.length > 0 || before === undefined || last === undefined ? own : changes(before.set, last.set);
    this.diff.hidden = found.length === 0;
    setText(this.diffTitle, `What changed since: ${since?.from ?? ""} (${found.length})`);
    this.changes.replaceChildren(
      ...found.map(({ kind, text, was }) =>
        make("li", { "data-change": kind }, make("b", {}, { added: "New", removed: "Gone", changed: "Changed" }[kind]), make("span", {}, text), was === null ? null : make("small", {}, `was: ${was}`)),
      ),
    );
  }

  private export(): void {
    const { set } = this.store.state.boundary;
    if (set !== null) {
      save(new Blob([JSON.stringify(set, null, 2)], { type: "application/json" }), fileName(set.task, "principles.json"));
    }
  }
}
