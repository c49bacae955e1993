/** Whether the log of a bucket is without holes, and whether it and the records tell the same. */
import { type FlowError, isFlowError } from "../errors/flow-error.ts";
import type { BucketFault, BucketMend, ToldRecords } from "../metadata/bucket-audit.ts";
import type { EndedRun, LogEnd } from "../metadata/bucket-records.ts";
import type { LogLine } from "../metadata/record-rebuild.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import { type LogObject, NO_LOG, readLogObject } from "./bucket-log.ts";
import { LOG_PREFIX, logKey, parseLogKey } from "./layout.ts";

/** What lies there of a log, whole or not. */
export interface FoundLog {
  /** Objects that were read, in their order. */
  readonly objects: readonly Pick<LogObject, "end" | "store" | "texts" | "lines">[];
  /** The last of the objects before the first fault. */
  readonly wholeUpTo: LogEnd;
  /** The highest number that is there. */
  readonly last: number;
  readonly faults: readonly { readonly key: string; readonly why: string }[];
}

/** Reads all of a log; what is missing or not as it was written is said and passed over. */
export async function findLog(bucket: BlobStore): Promise<FoundLog> {
  const objects: FoundLog["objects"][number][] = [];
  const faults: { key: string; why: string }[] = [];
  let wholeUpTo = NO_LOG;
  let previous: string | undefined = NO_LOG.digest;
  let last = 0;
  for (let after: string | undefined; ; ) {
    const page = await bucket.list({ prefix: LOG_PREFIX, ...(after === undefined ? {} : { after }) });
    for (const key of page.keys) {
      const number = parseLogKey(key);
      if (number === undefined) continue;
      for (let missing = last + 1; missing < number && faults.length < MAX_FAULTS; missing++)
        faults.push({ key: logKey(missing), why: "it is not there, and one behind it is" });
      if (number > last + 1) previous = undefined;
      last = number;
      const read = await readOrFault(bucket, number);
      if ("code" in read) {
        faults.push({ key, why: read.message });
        previous = undefined;
        continue;
      }
      if (previous !== undefined && read.previous !== previous)
        faults.push({ key, why: "it does not follow the one before it" });
      objects.push(read);
      previous = read.end.digest;
      if (faults.length === 0) wholeUpTo = read.end;
    }
    if (page.next === undefined) return { objects, wholeUpTo, last, faults };
    after = page.next;
  }
}

/** Holes that are told one by one. */
const MAX_FAULTS = 100;

async function readOrFault(bucket: BlobStore, number: number): Promise<LogObject | FlowError> {
  try {
    return await readLogObject(bucket, number);
  } catch (error) {
    if (isFlowError(error, "FLOW_PUBLISH_DAMAGED")) return error;
    throw error;
  }
}

/** How a log stands to the records of its store. */
export interface LogComparison {
  /** The first object that says what the records do not, or is of another store. */
  readonly foreign: string | undefined;
  /** Lines that the records say, and neither the log nor the news. */
  readonly untold: readonly string[];
}

/**
 * Holds a log against records.
 *
 * @param before the records before the log was read: what they said then must stand in it, or wait to be told
 * @param after the records after it was read: what stands in it must be said by them
 */
export function compareWithLog({ objects }: FoundLog, before: ToldRecords, after: ToldRecords): LogComparison {
  const said = new Set(after.story);
  const places = new Set<string>();
  for (const text of after.story) {
    const line = JSON.parse(text) as LogLine;
    if (line.kind === "begun" || line.kind === "deleted") places.add(placeOf(line));
  }
  const known = new Set<string>(before.news.map(identityOf));
  let foreign: string | undefined;
  for (const { end, store, texts, lines } of objects) {
    for (const [index, line] of lines.entries()) {
      const text = texts[index]!;
      known.add(identityOf(text));
      const isOurs =
        line.kind === "event"
          ? said.has(text)
          : line.kind !== "begun" || line.sequence < 0 || places.has(placeOf(line));
      if (!isOurs || store !== after.storeId) foreign ??= logKey(end.number);
    }
  }
  return { foreign, untold: before.story.filter((text) => !known.has(identityOf(text))) };
}

const placeOf = ({ sequence, id }: { readonly sequence: number; readonly id: string }): string => `${sequence} ${id}`;

/** Two lines of which one is as good as the other: names of a flow may have changed since its run was told. */
function identityOf(text: string): string {
  const line = JSON.parse(text) as LogLine | EndedRun;
  return line.kind === "begun" ? `begun ${placeOf(line)}` : text;
}

/** All that is wrong with a log. */
export async function checkLog(bucket: BlobStore, read: () => Promise<ToldRecords>): Promise<readonly BucketFault[]> {
  const before = await read();
  const found = await findLog(bucket);
  const after = await read();
  const { foreign, untold } = compareWithLog(found, before, after);
  if (foreign !== undefined)
    return [
      {
        check: "S12",
        kind: "damage",
        evidence: `"${foreign}" of the bucket says what these records do not: another copy of the store has written into it, or the records are older`,
        subject: { file: foreign },
        remedy: "copy",
      },
    ];
  // What is not tied to the bucket yet is told with the next run.
  const mend: BucketMend | undefined = after.told === undefined ? undefined : { kind: "log" };
  const remedy = mend === undefined ? ({ remedy: "copy" } as const) : ({ remedy: "repair", mend } as const);
  const faults: BucketFault[] = found.faults.map(({ key, why }) => ({
    check: "S12",
    kind: "damage",
    evidence: why.includes(key) ? why : `"${key}" of the bucket: ${why}`,
    subject: { file: key },
    ...remedy,
  }));
  faults.push(...endFaults(found, before, after).map((evidence) => ({ ...faultOf(evidence), ...remedy })));
  if (faults.length === 0 && untold.length > 0) {
    const what = `the log of the bucket does not tell ${untold.length} ${untold.length === 1 ? "thing" : "things"} that the records say, the first: ${inWords(untold[0]!)}`;
    faults.push(after.told === undefined ? noteOf(`${what}; the next run tells it`) : { ...faultOf(what), ...remedy });
  }
  const waiting = before.news.filter((text) => (JSON.parse(text) as LogLine | EndedRun).kind !== "ended").length;
  if (waiting > 0)
    faults.push(
      noteOf(
        `the bucket was not told ${waiting === 1 ? "one thing" : `${waiting} things`} yet; the next command that writes tells it`,
      ),
    );
  return faults;
}

/** The end of the log against what the records know to have been written. */
function endFaults({ objects, last }: FoundLog, before: ToldRecords, after: ToldRecords): readonly string[] {
  const { told } = before;
  if (told === undefined || after.told === undefined) return [];
  if (told.number > last)
    return [`the log of the bucket ends with ${last}, and these records have told it up to ${told.number}`];
  const there = objects.find(({ end }) => end.number === told.number);
  return told.number === 0 || there === undefined || there.end.digest === told.digest
    ? []
    : [`"${logKey(told.number)}" of the bucket is not what these records have written`];
}

const faultOf = (evidence: string) =>
  ({ check: "S12", kind: "damage", evidence, subject: { file: LOG_PREFIX } }) as const;
const noteOf = (evidence: string) => ({ check: "S12", kind: "note", evidence, subject: { file: LOG_PREFIX } }) as const;

function inWords(text: string): string {
  const line = JSON.parse(text) as LogLine;
  switch (line.kind) {
    case "begun":
      return `that ${line.name}/${line.number} began`;
    case "deleted":
      return `that ${line.name}/${line.number} was deleted`;
    case "event":
      return `event ${line.sequence} of the log of tags`;
    case "flow":
    case "flow-name":
      return `the flow ${line.name}`;
    default:
      return `a ${line.kind} of the run ${line.run ?? "that is gone"}`;
  }
}
