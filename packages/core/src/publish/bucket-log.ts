/**
 * The log of a bucket: what happens in a store besides its runs, in numbered objects that are created once. The number that is next is where two
 * copies of one store meet: whoever finds it taken by what he did not say writes nothing more.
 */
import { createHash } from "node:crypto";
import type { Digest } from "../artifact/artifact.ts";
import { digestOf } from "../artifact/digest.ts";
import { FlowError } from "../errors/flow-error.ts";
import type { BucketRecords, EndedRun, LogEnd, News } from "../metadata/bucket-records.ts";
import type { LogLine } from "../metadata/record-rebuild.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import { BadContent, checkShape, parseJson, splitLines } from "../transfer/json-lines.ts";
import { refuseNewer } from "./identity.ts";
import { LOG_PREFIX, logKey, parseLogKey } from "./layout.ts";
import { checkLine, endLine, logHead, logLine } from "./lines.ts";
import { damaged, NOT_THERE } from "./publish-error.ts";
import { readAgain } from "./read-again.ts";

/** Lines of one object. */
export const MAX_LINES = 1_000;
/** And how large they are together; a line that is larger by itself goes alone. */
const MAX_BYTES = 4 * 1024 * 1024;

export const NO_LOG: LogEnd = { number: 0, digest: "0".repeat(64) as Digest };

/** Does what news ask for besides being told. It may be asked twice for the same. */
export type PayDebts = (news: readonly (LogLine | EndedRun)[]) => Promise<void>;

/** An object of the log, as it was found. */
export interface LogObject {
  readonly end: LogEnd;
  readonly previous: Digest;
  readonly store: string;
  /** As they stand there. */
  readonly texts: readonly string[];
  readonly lines: readonly LogLine[];
}

/**
 * Tells the bucket what it does not know yet.
 *
 * News are forgotten when all is done that they ask for: who dies before that leaves it to the next one.
 *
 * @param pay does what news ask for besides
 * @throws FlowError FLOW_PUBLISH_FORKED, FLOW_PUBLISH_DAMAGED, those of the bucket and of `pay`
 */
export async function tellNews(
  bucket: BlobStore,
  records: BucketRecords,
  { store, pay }: { readonly store: string; readonly pay: PayDebts },
): Promise<void> {
  for (;;) {
    const before = await records.told();
    if (before === undefined) return;
    let news = bounded(await records.news(MAX_LINES));
    if (news.length === 0) return;
    const said = news.filter(isForLog).map(({ line }) => line);
    let end = before;
    if (said.length > 0) {
      const object = makeObject(store, before, said);
      const key = logKey(before.number + 1);
      end = { number: before.number + 1, digest: digestOf([object]) };
      if ((await bucket.put(key, [object])) === "exists") {
        const there = await readLogObject(bucket, end.number);
        // Since then another process of this store may have written it, with more in it than was looked at.
        const now = await records.news(MAX_LINES + there.texts.length);
        if ((await records.told())?.number !== before.number) continue;
        const ours = now.filter(isForLog);
        const isOurs = there.texts.every((text, index) => ours[index]?.line === text);
        if (!isOurs || there.previous !== before.digest || there.store !== store) throw forked(key);
        end = there.end;
        const last = ours[there.texts.length - 1];
        news = now.slice(0, last === undefined ? 0 : now.indexOf(last) + 1);
      }
    }
    await pay(news.map(({ line }) => JSON.parse(line) as LogLine | EndedRun));
    await records.advance(before, end, news.at(-1)?.number ?? 0);
  }
}

function isForLog({ line }: News): boolean {
  return (JSON.parse(line) as LogLine | EndedRun).kind !== "ended";
}

/**
 * Ties records to the bucket of their store, which may know a part of what is in them.
 *
 * @throws FlowError FLOW_PUBLISH_FORKED, FLOW_PUBLISH_DAMAGED, and those of the bucket
 */
export async function attachRecords(
  bucket: BlobStore,
  records: BucketRecords,
  on: { readonly store: string; readonly pay: PayDebts },
): Promise<void> {
  const told = await records.told();
  if (told !== undefined) {
    // Another copy of the store may have gone on: better known before a run than at its end.
    if ((await bucket.stat(logKey(told.number + 1))) === undefined) return;
    await tellNews(bucket, records, on);
    if ((await records.told())?.number === told.number) throw forked(logKey(told.number + 1));
    return;
  }
  const { end, known } = await compareLog(bucket, await records.story());
  await records.attach(end, known);
}

/**
 * Tells a bucket what records say that are not tied to it, and leaves them as they are.
 *
 * @throws as `attachRecords`
 */
export async function tellStory(bucket: BlobStore, records: BucketRecords, store: string): Promise<void> {
  const story = await records.story();
  for (;;) {
    let { end, known } = await compareLog(bucket, story);
    let open = story.filter((line) => !known.has(line)).map((line) => ({ line }));
    let isAlone = true;
    while (open.length > 0 && isAlone) {
      const part = bounded(open.slice(0, MAX_LINES));
      const object = makeObject(
        store,
        end,
        part.map(({ line }) => line),
      );
      isAlone = (await bucket.put(logKey(end.number + 1), [object])) === "created";
      end = { number: end.number + 1, digest: digestOf([object]) };
      open = open.slice(part.length);
    }
    if (isAlone) return;
  }
}

/** All of the log, in its order. */
export async function* readLog(bucket: BlobStore): AsyncGenerator<LogObject, void> {
  let before = NO_LOG;
  for (let after: string | undefined; ; ) {
    const page = await bucket.list({ prefix: LOG_PREFIX, ...(after === undefined ? {} : { after }) });
    for (const key of page.keys) {
      const number = parseLogKey(key);
      if (number === undefined) continue;
      if (number !== before.number + 1)
        throw damaged(logKey(before.number + 1), "it is not there, and one behind it is");
      const object = await readLogObject(bucket, number);
      if (object.previous !== before.digest) throw damaged(key, "it does not follow the one before it");
      yield object;
      before = object.end;
    }
    if (page.next === undefined) return;
    after = page.next;
  }
}

/** @throws FlowError FLOW_PUBLISH_DAMAGED, FLOW_PUBLISH_NEWER_FORMAT */
export async function readLogObject(bucket: BlobStore, number: number): Promise<LogObject> {
  return await readAgain(() => readLogObjectOnce(bucket, number));
}

async function readLogObjectOnce(bucket: BlobStore, number: number): Promise<LogObject> {
  const key = logKey(number);
  const bytes = await bucket.get(key);
  if (bytes === undefined) throw damaged(key, NOT_THERE);
  try {
    const [first, ...rest] = splitLines([bytes]);
    const head = parseJson(first ?? "null");
    refuseNewer(key, (head as { readonly version?: unknown } | null)?.version);
    const { store, previous, number: said } = checkShape(head, logHead);
    const last = checkShape(parseJson(rest.pop() ?? "null"), endLine);
    const sum = createHash("sha256").update([first, ...rest].map((line) => `${line}\n`).join(""));
    if (said !== number || sum.digest("hex") !== last.digest) throw new BadContent("it is not what was written");
    const lines = rest.map((text) => checkShape(parseJson(text), logLine));
    return { end: { number, digest: digestOf([bytes]) }, previous, store, texts: rest, lines };
  } catch (error) {
    if (!(error instanceof BadContent)) throw error;
    throw damaged(key, error.message, error);
  }
}

export function makeObject(store: string, { number, digest }: LogEnd, lines: readonly string[]): Uint8Array {
  for (const line of lines) checkLine("a line of the log", line, logLine);
  const head = JSON.stringify({ kind: "log", number: number + 1, previous: digest, store, version: 1 });
  const body = [head, ...lines].map((line) => `${line}\n`).join("");
  const end = JSON.stringify({ digest: createHash("sha256").update(body).digest("hex"), kind: "end" });
  return Buffer.from(`${body}${end}\n`);
}

export function bounded<T extends { readonly line: string }>(news: readonly T[]): T[] {
  let bytes = 0;
  const end = news.findIndex(({ line }) => {
    bytes += Buffer.byteLength(line) + 1;
    return bytes > MAX_BYTES;
  });
  return end < 0 ? [...news] : news.slice(0, Math.max(end, 1));
}

/** What a bucket has been told, held against what the records say. */
async function compareLog(
  bucket: BlobStore,
  story: readonly string[],
): Promise<{ readonly end: LogEnd; readonly known: ReadonlySet<string> }> {
  const said = new Set(story);
  const places = new Set<string>();
  for (const text of story) {
    const line = JSON.parse(text) as LogLine;
    if (line.kind === "begun" || line.kind === "deleted") places.add(`${line.sequence} ${line.id}`);
  }
  const known = new Set<string>();
  let end = NO_LOG;
  for await (const object of readLog(bucket)) {
    for (const [index, line] of object.lines.entries()) {
      const text = object.texts[index]!;
      const isOurs =
        line.kind === "event"
          ? said.has(text)
          : line.kind !== "begun" || line.sequence < 0 || places.has(`${line.sequence} ${line.id}`);
      if (!isOurs) throw forked(logKey(object.end.number));
      known.add(text);
    }
    end = object.end;
  }
  return { end, known };
}

function forked(key: string): FlowError {
  return new FlowError("FLOW_PUBLISH_FORKED", {
    message: `Cannot write to the bucket: "${key}" says what these records do not, so another copy of this store has written into it`,
    hint: "Use one copy of the store alone: flow store rebuild makes records of what the bucket has, after flow export of what only this copy has",
    context: { key },
  });
}
