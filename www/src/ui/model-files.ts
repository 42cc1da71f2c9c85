/** A model out of the visitor's files: picked, or dropped as files or as a folder. */
import { byId } from "./dom";

export function takeModelFiles(taken: (files: File[]) => void): void {
  const drop = byId("models-drop", HTMLDivElement);
  for (const [button, picker] of [
    ["models-file", "models-file-input"],
    ["models-folder", "models-folder-input"],
  ] as const) {
    const input = byId(picker, HTMLInputElement);
    byId(button, HTMLButtonElement).addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      const files = [...(input.files ?? [])].filter(isAtTop);
      input.value = "";
      if (files.length > 0) {
        taken(files);
      }
    });
  }
  drop.addEventListener("dragover", (event) => event.preventDefault());
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    const enabled = !byId("models-sources", HTMLFieldSetElement).disabled;
    // The entries must be asked for at once; later the browser has forgotten them.
    const entries = [...(event.dataTransfer?.items ?? [])].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
    if (enabled && entries.length > 0) {
      void Promise.all(entries.map(filesOf)).then((files) => taken(files.flat()));
    }
  });
}

/** The files of a folder, not those of folders in it: repositories keep other formats there. */
function isAtTop(file: File): boolean {
  return file.webkitRelativePath.split("/").length <= 2;
}

async function filesOf(entry: FileSystemEntry): Promise<File[]> {
  if (!entry.isDirectory) {
    return [await fileOf(entry as FileSystemFileEntry)];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const files: File[] = [];
  // A reader gives a hundred at a time, and nothing at the end.
  for (;;) {
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (entries.length === 0) {
      return files;
    }
    files.push(...(await Promise.all(entries.filter((inner) => inner.isFile).map((inner) => fileOf(inner as FileSystemFileEntry)))));
  }
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}
