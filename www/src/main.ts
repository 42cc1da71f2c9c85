/** Puts the page together. */
import "./boundary/narrow";
import "./style/base.css";
import "./style/layout.css";
import "./style/places.css";
import "./style/seeds.css";
import "./style/result.css";
import "./style/instances.css";
import "./style/map.css";
import "./style/tour.css";
import "./style/models.css";
import "./style/rounds.css";
import "./style/boundary.css";
import { ModelShelf } from "./models/shelf";
import { type SavedRun, viewOf } from "./run-file/run-file";
import { OWN_TASK, readSettings, writeSettings } from "./settings";
import { Store } from "./state";
import { Studio } from "./studio";
import { BUNDLED } from "./task/bundled";
import { remember, remembered } from "./shown";
import { BriefPlace } from "./ui/brief";
import { ChangesPlace } from "./ui/changes";
import { ConfusionPlace } from "./ui/confusion";
import { CostPlace } from "./ui/cost";
import { DiversityPlace } from "./ui/diversity";
import { Header } from "./ui/header";
import { InstancesPlace } from "./ui/instances";
import { KeepPlace } from "./ui/keep";
import { ModelsPlace } from "./ui/models";
import { LedgerPlace } from "./ui/ledger";
import { byId } from "./ui/dom";
import { MapPlace } from "./ui/map";
import { PrinciplesPlace } from "./ui/principles";
import { ResultPlace } from "./ui/result";
import { RoundsPlace } from "./ui/rounds";
import { RulesPlace } from "./ui/rules";
import { RunBar } from "./ui/run-bar";
import { SettingsPlace } from "./ui/settings";
import { StoredRunsPlace } from "./ui/stored-runs";
import { TaskPlace } from "./ui/task";
import { Tour } from "./ui/tour";
import { TrainingPlace } from "./ui/training";
import { TryPlace } from "./ui/try";

/** Typing is checked once it pauses. */
const CHECK_AFTER_MS = 350;

const store = new Store(readSettings(location.search, BUNDLED.map((task) => task.name)));
const task = new TaskPlace({ chosen: choose, edited: checkSoon });
const studio = new Studio(store, () => task.ownTask(), byId("door", HTMLDivElement));
const shelf = new ModelShelf(studio.client, store);
const settings = new SettingsPlace(store.state.settings, (changed) => {
  const device = store.state.settings.device;
  apply(changed);
  if (changed.device !== undefined && changed.device !== device) {
    void studio.open(changed.device);
  }
});
const runBar = new RunBar(() => void play(), () => void studio.stop());

const principles = new PrinciplesPlace();
const instances = new InstancesPlace(store, () => studio.keepEdits());
const confusion = new ConfusionPlace();
const tour = new Tour({
  set: (name, value) => settings.set(name, value),
  row: (name, compared) => settings.compare(name, compared),
  level: (level) => principles.showLevel(level),
  show: (show) => instances.showOnly(show),
  confusion: (row) => confusion.show(row),
  epsilon: (value) => void studio.teaching.preview(value),
});

const places = [
  new Header(() => studio.forget(null)),
  task,
  settings,
  new ModelsPlace(shelf),
  new BriefPlace(studio.teaching),
  new RulesPlace(studio.teaching, store),
  new LedgerPlace(),
  new CostPlace(store),
  runBar,
  principles,
  instances,
  new DiversityPlace(),
  new TrainingPlace((text) => void (store.state.watch = text)),
  new ResultPlace(),
  confusion,
  new ChangesPlace(),
  new RoundsPlace(),
  new MapPlace({ revive: () => studio.revive(), seeds: () => studio.seeds(), embed: (texts, signal) => studio.client.call("embed", { texts }, signal) }),
  new TryPlace(async (text, context) => {
    await studio.revive();
    return studio.client.call("predict", context === "" ? { text } : { text, context });
  }),
  new KeepPlace(studio.client, store, { ownTask: () => task.ownTask(), open: openSaved }),
  new StoredRunsPlace({ open: openStored, read: async (id) => viewOf(await studio.stored(id), -1, id), forget: (id) => studio.forget(id), resume }),
  tour,
];
for (const place of places) {
  store.subscribe((state) => place.draw(state));
}
store.subscribe(({ run }) => {
  if (run.id !== null) {
    remember(run.id);
  }
});
void begin();

function choose(name: string): void {
  apply({ task: name });
  studio.teaching.change({});
  store.update((state) => {
    state.summary = null;
    state.taskError = null;
  });
  void studio.check();
  if (name === OWN_TASK) {
    // The fields are shown by the next drawing; only then can one of them take the focus.
    setTimeout(() => task.focusOwn(), 100);
  }
}

/** A reload brings back the run that was shown before it, if it was stored. */
async function begin(): Promise<void> {
  await studio.open(store.state.settings.device);
  await shelf.open();
  const before = remembered();
  const reloaded = performance.getEntriesByType("navigation").some((entry) => (entry as PerformanceNavigationTiming).type === "reload");
  if (reloaded && before !== null && store.state.run.phase === "idle" && store.state.kept?.runs.some((run) => run.id === before)) {
    // A run that cannot be read any more is no reason to complain on arrival; the list still has it.
    await openStored(before).catch(() => undefined);
    // What was under way goes on; what the visitor had stopped waits.
    if (store.state.kept?.runs.some((run) => run.id === before && run.unfinished === "interrupted")) {
      await studio.resume(before).catch(() => undefined);
    }
  }
}

async function openStored(id: string): Promise<void> {
  openSaved(await studio.stored(id), id);
}

/** Goes on with a stored run, with its settings in the fields. */
async function resume(id: string): Promise<void> {
  await openStored(id).catch(() => undefined);
  await studio.resume(id);
}

/** A run out of a file brings its settings too, but not the device: that is this machine's. */
function openSaved(saved: SavedRun, stored: string | null = null): void {
  const { device } = store.state.settings;
  const brought = { ...readSettings(saved.settings, BUNDLED.map((bundled) => bundled.name)), device };
  apply(brought);
  settings.fill(brought);
  if (saved.own !== null && brought.task === OWN_TASK) {
    task.fill(saved.own);
  }
  studio.openSaved(saved, stored);
  void studio.check();
}

async function play(): Promise<void> {
  if (settings.read() === null) {
    return;
  }
  await studio.play();
  if (store.state.taskError !== null) {
    task.focusOwn();
  }
}

/** Takes changed settings into the state and into the address, which can then be shared. */
function apply(changed: Partial<typeof store.state.settings>): void {
  store.update((state) => Object.assign(state.settings, changed));
  history.replaceState(null, "", location.pathname + writeSettings(store.state.settings));
}

let planned: ReturnType<typeof setTimeout> | undefined;

function checkSoon(): void {
  clearTimeout(planned);
  // A brief of other seeds than those that stand here now is no longer what would be sent.
  studio.teaching.change({});
  store.update(() => undefined);
  planned = setTimeout(() => void studio.check(), CHECK_AFTER_MS);
}
