/**
 * Brings one value into the cache. Its bytes are checked while they come, and it gets its name there only when they are right: so
 * nobody reads what broke on the way. A large one comes by several ranges at once, which are put together in their order.
 */
import type { Bounded } from "../../util/bounded.ts";
import type { BlobStore, ByteRange } from "../blob-store.ts";
import type { CacheFolder } from "./cache-folder.ts";
import type { Fetched } from "./messages.ts";
import type { PartRoom, TransferMemory } from "./transfer-memory.ts";
import type { ValueCheck } from "./value-check.ts";

/** A call and its answer are nothing beside so many bytes, and a broken one is soon repeated. */
export const PART_BYTES = 8 * 1024 * 1024;
/** One connection seldom fills a network. */
const PARTS_AT_ONCE = 4;
/** Up to this size a file is written before another thread could have been told to. */
const SMALL_BYTES = 1024 * 1024;

const MISSING = new Error("there is no value");
const DAMAGED = new Error("the bytes are not those of the key");

export interface Download {
  readonly store: BlobStore;
  readonly cache: CacheFolder;
  readonly key: string;
  /** As the records say; undefined: unknown. */
  readonly sizeBytes: number | undefined;
  readonly check: ValueCheck;
  readonly transfers: Bounded;
  /** What has come, or is about to, and is not written yet. It is taken before a transfer, never within one. */
  readonly memory: TransferMemory;
  /** Is told of each part that has come. */
  readonly onPart: () => void;
}

interface Part {
  readonly bytes: Uint8Array | undefined;
  readonly room: PartRoom;
}

export async function downloadValue(download: Download): Promise<Fetched> {
  const { cache, key, check, sizeBytes } = download;
  try {
    // The records say how long it is: a store that has more or less of it has another value, which its digest tells.
    if (sizeBytes !== undefined && sizeBytes > PART_BYTES) {
      await cache.keepStream(key, parts(download, undefined, sizeBytes), sizeBytes);
      return "here";
    }
    return await fromFirst(download, async (first) => {
      if (first.sizeBytes > SMALL_BYTES) {
        await cache.keepStream(key, parts(download, first.part, first.sizeBytes), first.sizeBytes);
        return;
      }
      check.add(first.part.bytes!);
      if (check.end() !== undefined) throw DAMAGED;
      cache.keepSync(key, [first.part.bytes!]);
      first.part.room.done();
    });
  } catch (error) {
    if (error === MISSING) return "missing";
    if (error === DAMAGED) return "damaged";
    throw error;
  }
}

interface FirstPart {
  readonly part: Part;
  /** Of the whole value. */
  readonly sizeBytes: number;
}

/** Reads as much as a part has: most values are no larger. */
async function fromFirst(download: Download, keep: (first: FirstPart) => Promise<void>): Promise<Fetched> {
  const { store, key, transfers, memory } = download;
  const room = await memory.take(Math.min(download.sizeBytes ?? PART_BYTES, PART_BYTES));
  try {
    const bytes = await transfers.run(() => store.get(key, { start: 0, end: PART_BYTES }, room.into));
    if (bytes === undefined) throw MISSING;
    download.onPart();
    // Only a value as long as a part may go on: its size is asked for then.
    const facts = bytes.byteLength < PART_BYTES ? undefined : await transfers.run(() => store.stat(key));
    await keep({ part: { bytes, room }, sizeBytes: Math.max(bytes.byteLength, facts?.sizeBytes ?? 0) });
    return "here";
  } finally {
    room.drop();
  }
}

/**
 * The value from its first part on, if that has come, checked before its end.
 *
 * Parts get memory in their order, so the one that is written next always has it, or is about to.
 */
async function* parts(
  download: Download,
  first: Part | undefined,
  sizeBytes: number,
): AsyncGenerator<Uint8Array, void> {
  const { store, key, check, transfers, memory, onPart } = download;
  const ahead: Promise<Part>[] = first === undefined ? [] : [Promise.resolve(first)];
  let start = first?.bytes?.byteLength ?? 0;
  let isOver = false;
  const read = async (range: ByteRange): Promise<Part> => {
    const room = await memory.take(range.end - range.start);
    try {
      return { bytes: isOver ? undefined : await transfers.run(() => store.get(key, range, room.into)), room };
    } catch (error) {
      room.drop();
      throw error;
    }
  };
  const readOn = (): void => {
    if (start >= sizeBytes) return;
    const range = { start, end: Math.min(start + PART_BYTES, sizeBytes) };
    start = range.end;
    const part = read(range);
    part.catch(() => {}); // Awaited below, or of no interest any more.
    ahead.push(part);
  };
  let part: Part | undefined;
  try {
    for (let count = 0; count < PARTS_AT_ONCE; count++) readOn();
    for (let next = ahead.shift(); next !== undefined; next = ahead.shift()) {
      const isFirst = part === undefined;
      part = await next;
      if (part.bytes === undefined) throw isFirst ? MISSING : DAMAGED;
      if (part !== first) {
        onPart();
        readOn();
      }
      check.add(part.bytes);
      yield part.bytes;
      part.room.done(); // Asked for the next one, it is written.
    }
  } finally {
    isOver = true;
    part?.room.drop();
    for (const settled of await Promise.allSettled(ahead))
      if (settled.status === "fulfilled") settled.value.room.drop();
  }
  if (check.end() !== undefined) throw DAMAGED;
}
