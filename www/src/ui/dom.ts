/** The few helpers that the places share. Text always goes in as text, never as HTML. */

type Child = Node | string | null;

/** A new element with class, attributes and children. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

export function makeSvg(tag: string, attributes: Record<string, string | number>, ...children: Child[]): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** The element of index.html with this id; a wrong id or kind is a mistake of ours, found by the first look at the page. */
export function byId<T extends HTMLElement>(id: string, kind: new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) {
    throw new Error(`index.html has no ${kind.name} with the id ${id}`);
  }
  return element;
}

/** A thin bar from 0 to 1. Browsers agree on no style for `<meter>`, so this is one of our own with its role. */
export function meter(part: number, label: string): HTMLElement {
  const fill = make("i");
  fill.style.width = `${Math.min(1, Math.max(0, part)) * 100}%`;
  const now = String(Math.round(part * 1000) / 1000);
  return make("span", { class: "meter", role: "meter", "aria-valuemin": "0", "aria-valuemax": "1", "aria-valuenow": now, "aria-label": label }, fill);
}

/** Writes only when the text differs, so that screen readers are not told twice. */
export function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

/** Shows one line where the error was caused, or takes it away. */
export function showError(element: HTMLElement, message: string | null): void {
  setText(element, message ?? "");
  element.hidden = message === null;
}

/** The sentence that stands in a place that has nothing to show yet. */
export function emptyHint(text: string): HTMLElement {
  return make("p", { class: "hint" }, text);
}
