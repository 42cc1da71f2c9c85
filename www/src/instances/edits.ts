/** What the visitor changed in the instances. What the engine wrote stays as it is beside it. */
import type { Entity, InstanceWritten } from "#seedbed/events";

/** What a person may reword; `entities` go with the text, whose places they name. */
export interface Wording {
  text: string;
  label: string;
  answer?: string;
  entities?: Entity[];
}

export interface Edit extends Partial<Wording> {
  deleted?: boolean;
}

const WORDING = ["text", "label", "answer", "entities"] as const;

/** By the instance's place in the run, counted from 0. */
export type Edits = Map<number, Edit>;

export interface Instance extends InstanceWritten {
  edited: boolean;
  deleted: boolean;
}

export function edited(instance: InstanceWritten, edit: Edit | undefined): Instance {
  const { deleted = false, ...wording } = edit ?? {};
  return { ...instance, ...wording, edited: Object.keys(wording).length > 0, deleted };
}

/** The instances as they are to be used: with the changes, without those that were deleted. */
export function kept(instances: readonly InstanceWritten[], edits: Edits): Instance[] {
  return instances.map((instance, index) => edited(instance, edits.get(index))).filter((instance) => !instance.deleted);
}

/** Takes a change in; what equals the engine's own is no change. */
export function change(edits: Edits, index: number, instance: InstanceWritten, to: Edit): void {
  const wanted: Edit = { ...edits.get(index), ...to };
  const same = (name: (typeof WORDING)[number]) => wanted[name] === undefined || JSON.stringify(wanted[name]) === JSON.stringify(instance[name]);
  const edit = Object.fromEntries(WORDING.filter((name) => !same(name)).map((name) => [name, wanted[name]])) as Edit;
  if (wanted.deleted === true) {
    edit.deleted = true;
  }
  if (Object.keys(edit).length === 0) {
    edits.delete(index);
  } else {
    edits.set(index, edit);
  }
}

export function tally(edits: Edits): { edited: number; deleted: number } {
  const all = [...edits.values()];
  const deleted = all.filter((edit) => edit.deleted === true).length;
  return { edited: all.length - deleted, deleted };
}
