/**
 * Entries of our own tars (exported runs, folders that are artifacts) as bytes: every byte follows from the names and sizes of
 * the entries. So a reader need not understand tar: it compares.
 */
import { BLOCK_BYTES, tarHeader, tarPadding } from "./tar.ts";

/** Sizes from here on do not fit into a header of ustar and stand in a head of pax. */
const USTAR_LIMIT_BYTES = 8 * 1024 ** 3;
/** And so do longer names; this is what stands in their place. */
const MAX_NAME_BYTES = 100;
const LONG_NAME = "named-before";

/** All that stands before the content of an entry. */
export function entryHead(name: string, sizeBytes: number): Uint8Array {
  const isLong = Buffer.byteLength(name) > MAX_NAME_BYTES;
  const isLarge = sizeBytes >= USTAR_LIMIT_BYTES;
  if (!isLong && !isLarge) return tarHeader(name, sizeBytes);
  const record = Buffer.concat([
    ...(isLong ? [paxRecord("path", name)] : []),
    ...(isLarge ? [paxRecord("size", String(sizeBytes))] : []),
  ]);
  const padded = Buffer.alloc(record.length + tarPadding(record.length));
  padded.set(record);
  const short = isLong ? LONG_NAME : name;
  // Programs that know pax take the size from the record; the other field would be too small for it.
  return Buffer.concat([tarHeader(short, record.length, "x"), padded, tarHeader(short, isLarge ? 0 : sizeBytes)]);
}

/** Bytes that an entry takes with its head and the zeros behind it. */
export function entryBytes(name: string, sizeBytes: number): number {
  return entryHead(name, sizeBytes).length + sizeBytes + tarPadding(sizeBytes);
}

/** The end of a tar: two empty blocks. */
export const TAIL_BYTES = 2 * BLOCK_BYTES;

/** `20 size=8589934592\n`: the length counts itself. */
function paxRecord(key: string, value: string): Uint8Array {
  const rest = ` ${key}=${value}\n`;
  const restBytes = Buffer.byteLength(rest);
  let length = restBytes;
  while (String(length).length + restBytes !== length) length = String(length).length + restBytes;
  return Buffer.from(`${length}${rest}`);
}

/** What an entry is that is not the one that belongs there, for a message: types of tar beside plain files. */
const TYPES: Readonly<Record<string, string>> = {
  "1": "a hard link",
  "2": "a symbolic link",
  "3": "a device",
  "4": "a device",
  "5": "a folder",
  "6": "a pipe",
};

/** Says what a block of a tar is that was found where another entry belongs. */
export function describeHead(found: Uint8Array, wanted: string): string {
  const field = (at: number, length: number): string => {
    const bytes = Buffer.from(found.buffer, found.byteOffset + at, Math.min(length, Math.max(0, found.length - at)));
    const end = bytes.indexOf(0);
    return bytes.toString("utf8", 0, end < 0 ? bytes.length : end);
  };
  if (found.length < BLOCK_BYTES) return `it ends where ${wanted} should begin`;
  if (found.every((byte) => byte === 0)) return `it ends where ${wanted} should begin`;
  const name = JSON.stringify(field(0, 100));
  const type = field(156, 1);
  const kind = TYPES[type];
  if (kind !== undefined) return `${name} is ${kind}, and only plain files belong into it`;
  if (name !== JSON.stringify(wanted)) return `${name} stands where ${wanted} belongs`;
  return `the head of ${wanted} is not as it is written (size, mode, owner or another field was changed)`;
}
