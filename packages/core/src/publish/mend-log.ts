/**
 * The log of a bucket written again from where it is not what the records say. What stands behind that place is put aside first, the last object
 * first: whoever is killed leaves a log that ends early, which the next repair goes on from. What the log has lost is said anew by the records, which
 * hold all that a rebuild needs of it. A process that tells the bucket meanwhile may add an object behind what is put aside: so the log is looked at
 * again until there is nothing to do.
 */
import type { Digest } from "../artifact/artifact.ts";
import { digestOf } from "../artifact/digest.ts";
import type { BucketSide } from "../metadata/bucket-audit.ts";
import type { BucketRecords, LogEnd } from "../metadata/bucket-records.ts";
import type { LogLine } from "../metadata/record-rebuild.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import { bounded, MAX_LINES, makeObject } from "./bucket-log.ts";
import { compareWithLog, findLog } from "./check-log.ts";
import { logKey } from "./layout.ts";

/** Copies an object aside, durably, and deletes it; nothing where none is there. */
export type PutAside = (key: string) => Promise<void>;

/** After so many looks it is left to the next repair: somebody tells it all the time. */
const MAX_LOOKS = 5;

interface LogRecords {
  readonly side: BucketSide;
  readonly bucket: BucketRecords;
}

/** @returns in words what was done; nothing for a log that needs nothing, or that another copy of the store has written to */
export async function mendLog(bucket: BlobStore, records: LogRecords, putAside: PutAside): Promise<readonly string[]> {
  const done: string[] = [];
  for (let looks = 0; looks < MAX_LOOKS; looks++) {
    const mended = await mendOnce(bucket, records, putAside);
    if (mended === "nothing to do") break;
    done.push(...mended);
  }
  return done;
}

async function mendOnce(
  bucket: BlobStore,
  records: LogRecords,
  putAside: PutAside,
): Promise<readonly string[] | "nothing to do"> {
  const before = await records.side.told();
  const found = await findLog(bucket);
  const after = await records.side.told();
  const { told, storeId, story, news } = after;
  if (told === undefined) return "nothing to do";
  if (before.told?.digest !== told.digest) return []; // Somebody tells it now.
  const { foreign, untold } = compareWithLog(found, before, after);
  if (foreign !== undefined) return "nothing to do";
  const done: string[] = [];
  const whole = found.wholeUpTo;
  for (let number = found.last; number > whole.number; number--) await putAside(logKey(number));
  if (found.last > whole.number)
    done.push(`put the log of the bucket aside from "${logKey(whole.number + 1)}" on, up to ${found.last}`);
  const kept = found.objects.filter(({ end }) => end.number <= whole.number).flatMap(({ texts }) => texts);
  const lost = found.objects.filter(({ end }) => end.number > whole.number).flatMap(({ texts }) => texts);
  const lines = found.last > whole.number || untold.length > 0 ? linesBehind({ kept, lost, story, news }) : [];
  const end = await write(bucket, { storeId, from: whole, lines });
  if (end === undefined) return [...done, "left the log of the bucket: another process writes it"];
  if (lines.length > 0)
    done.push(`wrote the log of the bucket again from "${logKey(whole.number + 1)}" on: ${lines.length} lines`);
  if (end.number === told.number && end.digest === told.digest) return done.length === 0 ? "nothing to do" : done;
  if (await records.bucket.advance(told, end, 0)) done.push(`recorded that the bucket was told up to ${end.number}`);
  return done;
}

/** What is to stand behind the objects that are kept, in an order in which a reader can follow. */
function linesBehind({
  kept,
  lost,
  story,
  news,
}: Readonly<Record<"kept" | "lost" | "story" | "news", readonly string[]>>): readonly string[] {
  const waiting = new Set(news);
  const standing = new Set(kept);
  const now = new Set(story);
  // What was true for a while comes first, so that what is true now has the last word.
  const past = lost.filter((text) => !now.has(text) && !standing.has(text));
  const present = story.filter((text) => !standing.has(text) && !waiting.has(text));
  const alive = new Map<string, string>();
  const requests = [...kept, ...past, ...present].flatMap((text) => {
    const line = JSON.parse(text) as LogLine;
    return line.kind === "request" ? [line] : [];
  });
  for (const { run, tag, status } of requests) {
    const name = JSON.stringify([run, tag]);
    if (status === undefined) alive.delete(name);
    else alive.set(name, JSON.stringify({ kind: "request", run, tag }));
  }
  for (const text of story) {
    const line = JSON.parse(text) as LogLine;
    if (line.kind === "request") alive.delete(JSON.stringify([line.run, line.tag]));
  }
  return [...past, ...present, ...alive.values()]; // The rest was taken back, and the log has lost that.
}

async function write(
  bucket: BlobStore,
  { storeId, from, lines }: { readonly storeId: string; readonly from: LogEnd; readonly lines: readonly string[] },
): Promise<LogEnd | undefined> {
  let end = from;
  let open = lines.map((line) => ({ line }));
  while (open.length > 0) {
    const part = bounded(open.slice(0, MAX_LINES));
    const texts = part.map(({ line }) => line);
    const object = makeObject(storeId, end, texts);
    if ((await bucket.put(logKey(end.number + 1), [object])) === "exists") return undefined;
    end = { number: end.number + 1, digest: digestOf([object]) as Digest };
    open = open.slice(part.length);
  }
  return end;
}
