/** What the page does about models; it never throws, what went wrong is said in the panel. */
import type { EngineClient } from "#seedbed/engine-client";
import type { Store } from "../state";
import { usualDtype } from "./budget";
import { BUNDLED_MODEL, bundledModel } from "#seedbed/models/bundled";
import { chosenModel, type ModelsState, storedModel } from "./state";
import { DTYPES, type Dtype } from "#seedbed/models/types";

const REMEMBERED = "seedbed-model";
/** Tokens of a first answer. */
const SAID = 64;

export class ModelShelf {
  constructor(
    private readonly client: EngineClient,
    private readonly store: Store,
  ) {}

  /** Looks what is here, and takes up what was chosen at an earlier visit. */
  async open(): Promise<void> {
    await this.work(null, async () => {
      const shelf = await this.client.call("shelf", {});
      const { chosen, dtype } = remembered();
      this.update((models) => {
        models.shelf = shelf;
        const isHere = (id: string) => bundledModel(id) !== null || shelf.stored.some((model) => model.id === id);
        if (models.chosen === BUNDLED_MODEL && isHere(chosen)) {
          models.chosen = chosen;
          models.dtype = dtype;
        } else if (!isHere(models.chosen)) {
          models.chosen = BUNDLED_MODEL;
        }
      });
    });
  }

  choose(chosen: string): void {
    this.update((models) => {
      models.chosen = chosen;
      models.said = null;
      const shape = storedModel(models)?.shape ?? null;
      if (shape !== null && models.shelf !== null) {
        models.dtype = usualDtype(shape, models.shelf.limit);
      }
    });
    this.remember();
  }

  setDtype(dtype: Dtype): void {
    this.update((models) => {
      models.dtype = dtype;
      models.said = null;
    });
    this.remember();
  }

  async planFiles(files: File[]): Promise<void> {
    await this.work("Looking into the files …", async () => {
      const plan = await this.client.call("planOfFiles", { files });
      this.update((models) => Object.assign(models, { plan, choices: null }));
    });
  }

  async lookUp(repository: string, file: string | null): Promise<void> {
    await this.work("Asking the hub …", async () => {
      const found = await this.client.call("lookUp", { repository, file });
      this.update((models) => {
        models.plan = "plan" in found ? found.plan : null;
        models.choices = "choices" in found ? { repository, files: found.choices } : null;
      });
    });
  }

  /** Fetches or copies what was planned, or goes on with what was begun, and chooses it. */
  async keep(id: string): Promise<void> {
    await this.work("Keeping the model in this browser …", async () => {
      // Without it a browser may throw everything away when it needs room.
      await navigator.storage.persist().catch(() => false);
      try {
        const model = await this.client.call("keepModel", { plan: id });
        const shelf = await this.client.call("shelf", {});
        this.update((models) => Object.assign(models, { shelf, plan: null }));
        this.choose(model.id);
      } catch (thrown) {
        const shelf = await this.client.call("shelf", {}).catch(() => null);
        this.update((models) => void (models.shelf = shelf ?? models.shelf));
        throw thrown;
      }
    });
  }

  async stop(): Promise<void> {
    await this.client.call("stopKeeping", {}).catch(() => undefined);
  }

  leave(): void {
    this.update((models) => Object.assign(models, { plan: null, choices: null, error: null }));
  }

  async forget(id: string): Promise<void> {
    await this.work("Deleting …", async () => {
      const shelf = await this.client.call("forgetModel", { model: id });
      this.update((models) => void (models.shelf = shelf));
      if (this.store.state.models.chosen === id) {
        this.choose(BUNDLED_MODEL);
      }
    });
  }

  /** Loads the chosen model and lets it answer. */
  async say(text: string): Promise<void> {
    await this.work("Loading the model and asking it …", async () => {
      const said = await this.client.call("say", { text, limit: SAID, ...chosenModel(this.store.state.models) });
      this.update((models) => void (models.said = said));
    });
  }

  private async work(busy: string | null, work: () => Promise<void>): Promise<void> {
    this.update((models) => Object.assign(models, { busy, progress: null, error: null }));
    try {
      await work();
    } catch (thrown) {
      this.update((models) => void (models.error = thrown instanceof Error ? thrown.message : String(thrown)));
    } finally {
      this.update((models) => Object.assign(models, { busy: null, progress: null }));
    }
  }

  private update(change: (models: ModelsState) => void): void {
    this.store.update((state) => change(state.models));
  }

  private remember(): void {
    const { chosen, dtype } = this.store.state.models;
    try {
      localStorage.setItem(REMEMBERED, JSON.stringify({ chosen, dtype }));
    } catch {
      // Storage is switched off.
    }
  }
}

function remembered(): { chosen: string; dtype: Dtype } {
  try {
    const { chosen, dtype } = JSON.parse(localStorage.getItem(REMEMBERED) ?? "{}") as { chosen?: unknown; dtype?: unknown };
    return { chosen: typeof chosen === "string" ? chosen : BUNDLED_MODEL, dtype: [...DTYPES, "stored" as const].find((known) => known === dtype) ?? "f32" };
  } catch {
    return { chosen: BUNDLED_MODEL, dtype: "f32" };
  }
}
