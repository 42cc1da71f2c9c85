/** Files as the engine reads them: a part at a time, at once. */
export interface EngineFile {
  name: string;
  size: number;
  read(offset: number, length: number): Uint8Array;
}

const reader = new FileReaderSync();

/** A file of the visitor's, of the browser's own storage, or in memory: all are blobs, and none is read as a whole. */
export function blobFile(name: string, blob: Blob): EngineFile {
  return {
    name,
    size: blob.size,
    read: (offset, length) => new Uint8Array(reader.readAsArrayBuffer(blob.slice(offset, offset + length))),
  };
}

/** A file of which only the beginning is here, as much as says what it holds. */
export function headOf(name: string, size: number, head: Uint8Array): EngineFile {
  return {
    name,
    size,
    read(offset, length) {
      if (offset + length > head.byteLength) {
        throw new Error("its description is longer than any model's");
      }
      return head.slice(offset, offset + length);
    },
  };
}
