/** What the visitor changed in the instances. What the engine wrote stays as it is beside it. */
import type { InstanceWritten } from "#seedbed/events";

export interface Edit {
  text?: string;
  label?: string;
  deleted?: boolean;
}

/** By the instance's place in the run, counted from 0. */
export type Edits = Map<number, Edit>;

export interface Instance extends InstanceWritten {
  edited: boolean;
  deleted: boolean;
}

export function edited(instance: InstanceWritten, edit: Edit | undefined): Instance {
  return {
    ...instance,
    text: edit?.text ?? instance.text,
    label: edit?.label ?? instance.label,
    edited: edit?.text !== undefined || edit?.label !== undefined,
    deleted: edit?.deleted === true,
  };
}

/** The instances as they are to be used: with the changes, without those that were deleted. */
export function kept(instances: readonly InstanceWritten[], edits: Edits): Instance[] {
  return instances.map((instance, index) => edited(instance, edits.get(index))).filter((instance) => !instance.deleted);
}

/** Takes a change in; what equals the engine's own is no change. */
export function change(edits: Edits, index: number, instance: InstanceWritten, to: Edit): void {
  const { text, label, deleted } = { ...edits.get(index), ...to };
  const edit: Edit = {
    ...(text === undefined || text === instance.text ? {} : { text }),
    ...(label === undefined || label === instance.label ? {} : { label }),
    ...(deleted === true ? { deleted } : {}),
  };
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
