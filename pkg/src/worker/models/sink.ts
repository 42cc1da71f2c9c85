/** Where the bytes of a file go as they arrive: the browser's own storage, and memory once that is full. */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

/** At the end of the name of what is not whole yet. */
export const PART = ".part";

/** Files of the browser's own storage can be renamed; TypeScript's library does not know it yet. */
interface Movable {
  move(name: string): Promise<void>;
}

/** Read back in pieces of this size. */
const PIECE = 4 << 20;

export class Sink {
  /** Bytes that are here. */
  length = 0;
  private hash = sha256.create();
  private handle: FileSystemSyncAccessHandle | null = null;
  private chunks: BlobPart[] = [];

  private constructor(
    private readonly folder: FileSystemDirectoryHandle | null,
    private readonly name: string,
  ) {}

  /** Goes on where an earlier visit ended. Without a folder all goes to memory. */
  static async open(folder: FileSystemDirectoryHandle | null, name: string): Promise<Sink> {
    const sink = new Sink(folder, name);
    if (folder !== null) {
      const file = await folder.getFileHandle(name + PART, { create: true });
      sink.handle = await file.createSyncAccessHandle();
      const there = sink.handle.getSize();
      const piece = new Uint8Array(PIECE);
      while (sink.length < there) {
        const read = sink.handle.read(piece, { at: sink.length });
        sink.hash.update(piece.subarray(0, read));
        sink.length += read;
      }
    }
    return sink;
  }

  get inMemory(): boolean {
    return this.handle === null;
  }

  /** Throws what is here away. */
  restart(): void {
    this.handle?.truncate(0);
    this.chunks = [];
    this.hash = sha256.create();
    this.length = 0;
  }

  /** Takes the next bytes; goes over to memory when the storage is full. */
  async write(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.handle !== null && !this.store(this.handle, bytes)) {
      await this.toMemory();
    }
    if (this.handle === null) {
      this.chunks.push(bytes);
    }
    this.hash.update(bytes);
    this.length += bytes.byteLength;
  }

  private store(handle: FileSystemSyncAccessHandle, bytes: Uint8Array<ArrayBuffer>): boolean {
    try {
      return handle.write(bytes, { at: this.length }) === bytes.byteLength;
    } catch (thrown) {
      if (thrown instanceof DOMException && thrown.name === "QuotaExceededError") {
        return false;
      }
      throw thrown;
    }
  }

  private async toMemory(): Promise<void> {
    const handle = this.handle;
    if (handle === null) {
      return;
    }
    for (let at = 0; at < this.length; at += PIECE) {
      const piece = new Uint8Array(Math.min(PIECE, this.length - at));
      handle.read(piece, { at });
      this.chunks.push(new Blob([piece]));
    }
    handle.close();
    this.handle = null;
    await this.folder?.removeEntry(this.name + PART).catch(() => undefined);
  }

  /** The SHA-256 of what is here. */
  digest(): string {
    return bytesToHex(this.hash.clone().digest());
  }

  /** What is here stays for another day. */
  close(): void {
    this.handle?.flush();
    this.handle?.close();
    this.handle = null;
  }

  /** Gives the file its name. The bytes themselves where they are in memory only. */
  async finish(): Promise<Blob | null> {
    if (this.handle === null) {
      return new Blob(this.chunks);
    }
    this.close();
    const file = await this.folder?.getFileHandle(this.name + PART);
    await (file as unknown as Movable | undefined)?.move(this.name);
    return null;
  }
}

/** The SHA-256 of a file that is whole. */
export async function hashOf(blob: Blob): Promise<string> {
  const hash = sha256.create();
  for (let at = 0; at < blob.size; at += PIECE) {
    hash.update(new Uint8Array(await blob.slice(at, at + PIECE).arrayBuffer()));
  }
  return bytesToHex(hash.digest());
}
