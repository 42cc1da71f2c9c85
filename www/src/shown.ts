/** Which stored run this tab shows, for after a reload. A browser that stores nothing for the page forgets it, no more. */
const NAME = "seedbed-shown";

export function remember(id: string): void {
  try {
    sessionStorage.setItem(NAME, id);
  } catch {
    // Storage is switched off.
  }
}

export function remembered(): string | null {
  try {
    return sessionStorage.getItem(NAME);
  } catch {
    return null;
  }
}
