/** Bytes as text that JSON can carry. */

/** Arguments of one call have a limit; this is far below it. */
const CHUNK = 0x8000;

export function bytesToBase64(bytes: Uint8Array): string {
  let binary = "";
  for (let at = 0; at < bytes.length; at += CHUNK) {
    binary += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  }
  return btoa(binary);
}

/** A multiple of four, so that each piece stands for whole bytes. */
const PIECE = 0x20000;

/** `null` where the text is no base64. An adapter has megabytes, so others get their turn in between. */
export async function base64ToBytes(text: string, breathe: () => Promise<void>): Promise<Uint8Array | null> {
  const bytes = new Uint8Array(Math.ceil(text.length / 4) * 3);
  let length = 0;
  try {
    for (let at = 0; at < text.length; at += PIECE) {
      const binary = atob(text.slice(at, at + PIECE));
      for (let index = 0; index < binary.length; index += 1) {
        bytes[length + index] = binary.charCodeAt(index);
      }
      length += binary.length;
      await breathe();
    }
  } catch {
    return null;
  }
  return bytes.subarray(0, length);
}
