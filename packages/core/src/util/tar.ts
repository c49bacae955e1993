/** The little of the tar format (POSIX ustar) that a handful of files needs: `tar tzf` reads what is written here. */

export const BLOCK_BYTES = 512;

/** The same files give the same bytes: no times, no owners. */
export function writeTar(files: readonly (readonly [name: string, content: Uint8Array])[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [name, content] of files) {
    parts.push(tarHeader(name, content.byteLength), content, new Uint8Array(tarPadding(content.byteLength)));
  }
  parts.push(new Uint8Array(2 * BLOCK_BYTES));
  return Buffer.concat(parts);
}

/** @returns undefined for what is no tar file or was cut short */
export function readTar(bytes: Uint8Array): ReadonlyMap<string, Uint8Array> | undefined {
  const files = new Map<string, Uint8Array>();
  for (let at = 0; at + BLOCK_BYTES <= bytes.byteLength; ) {
    const block = bytes.subarray(at, at + BLOCK_BYTES);
    if (block.every((byte) => byte === 0)) return files;
    if (number(block, 148, 8) !== checksum(block)) return undefined;
    const size = number(block, 124, 12);
    const start = at + BLOCK_BYTES;
    if (!Number.isSafeInteger(size) || start + size > bytes.byteLength) return undefined;
    files.set(text(block, 0, 100), bytes.subarray(start, start + size));
    at = start + size + tarPadding(size);
  }
  return undefined; // Without the two empty blocks of its end, it was cut short.
}

/** Type of an entry: a plain file, or a head of POSIX pax that says more about the next one. */
export type TarType = "0" | "x";

/**
 * The block before the content of a file: no times, no owners.
 *
 * @param name at most 100 bytes
 * @param size in bytes, less than 8 GiB
 */
export function tarHeader(name: string, size: number, type: TarType = "0"): Uint8Array {
  const block = Buffer.alloc(BLOCK_BYTES);
  block.write(name, 0, 100, "utf8");
  block.write("0000644\0", 100);
  block.write("0000000\0", 108);
  block.write("0000000\0", 116);
  block.write(`${size.toString(8).padStart(11, "0")}\0`, 124);
  block.write("00000000000\0", 136);
  block.write(type, 156);
  block.write("ustar\x0000", 257);
  block.write(`${checksum(block).toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

/** The sum of all bytes, with the field of the sum itself read as spaces. */
function checksum(block: Uint8Array): number {
  return block.reduce((sum, byte, index) => sum + (index >= 148 && index < 156 ? 0x20 : byte), 0);
}

/** Zeros between a content of so many bytes and the next block. */
export function tarPadding(size: number): number {
  return (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES;
}

function text(block: Uint8Array, at: number, length: number): string {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return Buffer.from(end < 0 ? field : field.subarray(0, end)).toString("utf8");
}

function number(block: Uint8Array, at: number, length: number): number {
  return Number.parseInt(text(block, at, length).trim(), 8);
}
