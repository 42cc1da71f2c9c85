/** The browser's own file system, as far as runs need it. */

export async function runsFolder(create: boolean): Promise<FileSystemDirectoryHandle> {
  const root = await navigator.storage.getDirectory();
  return root.getDirectoryHandle("runs", { create });
}

export async function openFile(folder: FileSystemDirectoryHandle, name: string): Promise<FileSystemSyncAccessHandle> {
  const file = await folder.getFileHandle(name, { create: true });
  return file.createSyncAccessHandle();
}

/** How long the worker of a page that was reloaded may take to let go of what it had open. */
const LEAVING_MS = 3000;

/** A file that another worker may be about to let go. */
export async function openLeft(folder: FileSystemDirectoryHandle, name: string): Promise<FileSystemSyncAccessHandle> {
  const end = performance.now() + LEAVING_MS;
  for (;;) {
    try {
      return await openFile(folder, name);
    } catch (thrown) {
      if (performance.now() > end || !(thrown instanceof DOMException && thrown.name === "NoModificationAllowedError")) {
        throw thrown;
      }
      await new Promise((wake) => setTimeout(wake, 50));
    }
  }
}

export function writeAll(file: FileSystemSyncAccessHandle, bytes: Uint8Array, at: number): void {
  const view = new Uint8Array(bytes);
  const written = file.write(view, { at });
  if (written < view.byteLength) {
    throw new DOMException("the file could not be written in full", "QuotaExceededError");
  }
}
