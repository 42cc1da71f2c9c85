/** The browser's own file system, as far as runs need it. */

export async function runsFolder(create: boolean): Promise<FileSystemDirectoryHandle> {
  const root = await navigator.storage.getDirectory();
  return root.getDirectoryHandle("runs", { create });
}

export async function openFile(folder: FileSystemDirectoryHandle, name: string): Promise<FileSystemSyncAccessHandle> {
  const file = await folder.getFileHandle(name, { create: true });
  return file.createSyncAccessHandle();
}

export function writeAll(file: FileSystemSyncAccessHandle, bytes: Uint8Array, at: number): void {
  const view = new Uint8Array(bytes);
  const written = file.write(view, { at });
  if (written < view.byteLength) {
    throw new DOMException("the file could not be written in full", "QuotaExceededError");
  }
}
