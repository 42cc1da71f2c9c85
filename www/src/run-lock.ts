/** One tab at a time may change a stored run; another that shows it only reads. */

export class RunLock {
  private release: () => void = () => undefined;
  /** Ends the wait for a lock that another tab has. */
  private wait = new AbortController();
  private takes = 0;
  /** Settled once this tab may change the run that it took last. */
  private mine: Promise<void> = Promise.resolve();

  /** `changed` is told whether this tab may only read the run that was taken last. */
  constructor(private readonly changed: (readOnly: boolean) => void) {}

  /**
   * Whether this tab may change the run that it took last, known after so many milliseconds at most: a page that was
   * reloaded can find the run still held by what it was itself a moment ago.
   */
  async own(patience: number): Promise<boolean> {
    const late = new Promise<false>((resolve) => setTimeout(() => resolve(false), patience));
    return Promise.race([this.mine.then(() => true), late]);
  }

  /** Takes the run, in place of the one before; `null` takes none. When another tab has it, this one gets it after that. */
  async take(id: string | null): Promise<void> {
    let own: () => void = () => undefined;
    this.mine = new Promise((resolve) => (own = resolve));
    const turn = ++this.takes;
    this.release();
    this.wait.abort();
    this.wait = new AbortController();
    this.changed(false);
    // Typed as always there; on a page without a secure address it is not.
    const locks = (navigator as { locks?: LockManager }).locks;
    if (id === null || locks === undefined) {
      own();
      return;
    }
    const { signal } = this.wait;
    const free = await new Promise<boolean>((resolve) => {
      const asked = locks.request(nameOf(id), { ifAvailable: true }, (lock) => {
        resolve(lock !== null);
        return lock === null ? undefined : this.hold(turn);
      });
      // Where locks are refused altogether, nothing is guarded and nothing breaks.
      asked.catch(() => resolve(true));
    });
    if (free) {
      own();
    }
    if (free || turn !== this.takes) {
      return;
    }
    this.changed(true);
    const inherit = locks.request(nameOf(id), { signal }, () => {
      if (turn === this.takes) {
        this.changed(false);
        own();
      }
      return this.hold(turn);
    });
    inherit.catch(() => undefined);
  }

  /** Lasts as long as this tab wants the run. */
  private hold(turn: number): Promise<void> | undefined {
    return turn === this.takes ? new Promise((resolve) => (this.release = resolve)) : undefined;
  }
}

/** Whether any tab has the run, this one included. */
export async function isTaken(id: string): Promise<boolean> {
  const locks = (navigator as { locks?: LockManager }).locks;
  const { held } = (await locks?.query()) ?? {};
  return held?.some((lock) => lock.name === nameOf(id)) ?? false;
}

function nameOf(id: string): string {
  return `seedbed-run-${id}`;
}
