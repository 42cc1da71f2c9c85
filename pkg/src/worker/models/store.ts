/**
 * The models in this browser's own storage (OPFS), under `models/<id>/`. A file is written under a temporary name, checked and
 * renamed; `model.json` comes last, and without it there is no model. What was only begun is continued, and thrown away when
 * nobody has for a week.
 */
import { bytesOf, type ModelPlan, type StoredModel, type UnfinishedModel } from "../../models/types";
import { openFile, writeAll } from "../opfs";
import { PART } from "./sink";

const METADATA = "model.json";
const PLAN = "plan.json";
const PATIENCE_MS = 7 * 24 * 3600 * 1000;

export async function modelsFolder(create: boolean): Promise<FileSystemDirectoryHandle> {
  const root = await navigator.storage.getDirectory();
  return root.getDirectoryHandle("models", { create });
}

export async function listModels(): Promise<{ stored: StoredModel[]; unfinished: UnfinishedModel[] }> {
  const stored: StoredModel[] = [];
  const unfinished: UnfinishedModel[] = [];
  const folder = await modelsFolder(false).catch(() => null);
  if (folder !== null) {
    for await (const entry of folder.values()) {
      if (entry.kind !== "directory") {
        continue;
      }
      const model = entry as FileSystemDirectoryHandle;
      const whole = await readJson<StoredModel>(model, METADATA);
      const plan = await readJson<ModelPlan>(model, PLAN);
      if (whole !== null && (await isWhole(model, whole))) {
        stored.push(whole);
      } else if (plan !== null && (await touched(model)) > Date.now() - PATIENCE_MS) {
        unfinished.push({ ...plan, here: await sizeOf(model) });
      } else {
        await folder.removeEntry(model.name, { recursive: true }).catch(() => undefined);
      }
    }
  }
  stored.sort((a, b) => a.name.localeCompare(b.name));
  return { stored, unfinished };
}

/** The folder of a model that is about to be fetched. */
export async function beginModel(plan: ModelPlan): Promise<FileSystemDirectoryHandle> {
  const folder = await (await modelsFolder(true)).getDirectoryHandle(plan.id, { create: true });
  await writeJson(folder, PLAN, plan);
  return folder;
}

export async function completeModel(folder: FileSystemDirectoryHandle, model: StoredModel): Promise<void> {
  await writeJson(folder, METADATA, model);
}

/** Really deletes it, whole or begun. */
export async function deleteModel(id: string): Promise<void> {
  const folder = await modelsFolder(false).catch(() => null);
  // The metadata goes first: what is left if the rest fails is no model any more.
  await (await folder?.getDirectoryHandle(id).catch(() => null))?.removeEntry(METADATA).catch(() => undefined);
  await folder?.removeEntry(id, { recursive: true });
}

export async function modelFiles(model: StoredModel): Promise<File[]> {
  const folder = await (await modelsFolder(false)).getDirectoryHandle(model.id);
  return Promise.all(model.files.map(async (part) => (await folder.getFileHandle(part.name)).getFile()));
}

/** A file that an earlier visit has finished. */
export async function isThere(folder: FileSystemDirectoryHandle, name: string): Promise<boolean> {
  return folder.getFileHandle(name).then(
    () => true,
    () => false,
  );
}

export async function fileIn(folder: FileSystemDirectoryHandle, name: string): Promise<File> {
  return (await folder.getFileHandle(name)).getFile();
}

async function isWhole(folder: FileSystemDirectoryHandle, model: StoredModel): Promise<boolean> {
  for (const part of model.files) {
    const file = await fileIn(folder, part.name).catch(() => null);
    if (file?.size !== part.size) {
      return false;
    }
  }
  return bytesOf(model) > 0;
}

async function sizeOf(folder: FileSystemDirectoryHandle): Promise<number> {
  return (await filesIn(folder)).filter((file) => file.name !== PLAN).reduce((sum, file) => sum + file.size, 0);
}

async function touched(folder: FileSystemDirectoryHandle): Promise<number> {
  return Math.max(0, ...(await filesIn(folder)).map((file) => file.lastModified));
}

async function filesIn(folder: FileSystemDirectoryHandle): Promise<File[]> {
  const files: File[] = [];
  for await (const entry of folder.values()) {
    if (entry.kind === "file") {
      files.push(await (entry as FileSystemFileHandle).getFile());
    }
  }
  return files;
}

async function readJson<T>(folder: FileSystemDirectoryHandle, name: string): Promise<T | null> {
  try {
    return JSON.parse(await (await fileIn(folder, name)).text()) as T;
  } catch {
    return null;
  }
}

/** Under a temporary name first: a half-written file is never taken for a whole one. */
async function writeJson(folder: FileSystemDirectoryHandle, name: string, value: unknown): Promise<void> {
  const file = await openFile(folder, name + PART);
  try {
    file.truncate(0);
    writeAll(file, new TextEncoder().encode(JSON.stringify(value)), 0);
    file.flush();
  } finally {
    file.close();
  }
  const handle = (await folder.getFileHandle(name + PART)) as unknown as { move(name: string): Promise<void> };
  await handle.move(name);
}
