/**
 * `flow store verify`: whether a store as a whole is what was written to it. `flow validate` asks whether the results of runs
 * can be trusted; this asks whether the store can.
 *
 * Invariants: nothing is changed; memory does not grow with the store; what runs write meanwhile is not taken for damage;
 * damage is a finding and never an error. Not here: what SQLite and the file system are asked (metadata, storage), and
 * what is done about it (repair).
 */
import type { Digest } from "../../artifact/artifact.ts";
import type { ArtifactStore } from "../../artifact/artifact-store.ts";
import { BLOB_PREFIX, parseBlobKey } from "../../artifact/blob-layout.ts";
import { hashStored } from "../../artifact/hash-stored.ts";
import { type FlowError, isFlowError } from "../../errors/flow-error.ts";
import type { BucketAudit, BucketMend } from "../../metadata/bucket-audit.ts";
import type { RecordAudit } from "../../metadata/record-audit.ts";
import type { SyncBlobStore } from "../../storage/blob-store.ts";
import type { FolderAudit } from "../../storage/folder-audit.ts";
import { inTurns } from "../../util/in-turns.ts";
import { checkFolder } from "./check-folder.ts";
import { checkPackages } from "./check-packages.ts";
import {
  type BrokenValue,
  checkValues,
  findWithoutRow,
  type ValueCheckInput,
  type ValueTotals,
} from "./check-values.ts";
import { FindingSink, type StoreFinding, type VerifyProgress, type VerifyReport } from "./finding.ts";

export interface VerifyOptions {
  /** Reads and hashes every value, or `[n, t]`: the n-th (from 1) of t parts, which together are all. Default: none. */
  readonly readData?: boolean | readonly [number, number];
  /** Called for each finding, as it is found. */
  readonly onFinding?: (finding: StoreFinding) => void;
  readonly onProgress?: (progress: VerifyProgress) => void;
}

export interface StoreUnderCheck {
  /** The records; or the error that says that they cannot be read. */
  readonly audit: RecordAudit | FlowError;
  readonly artifacts: ArtifactStore;
  readonly blobs: SyncBlobStore;
  readonly folder: FolderAudit;
  /** Of a store in a bucket: what lies there besides values. Absent when the records cannot be read. */
  readonly bucket?: Pick<BucketAudit, "faults">;
}

/** What a repair goes by, besides the findings. */
export interface VerifyListener {
  readonly onBroken?: (broken: BrokenValue) => void;
  readonly onUntied?: (untied: { readonly package: Digest; readonly digest: Digest }) => void;
  readonly onBucket?: (mend: BucketMend) => void;
}

/**
 * Verifies a store.
 *
 * @returns totals; findings are handed to `onFinding` one by one
 * @throws FlowError of the metadata and storage rooms for what cannot be looked at
 */
export async function verifyStore(
  store: StoreUnderCheck,
  options: VerifyOptions = {},
  listener: VerifyListener = {},
): Promise<VerifyReport> {
  const { readData = false } = options;
  const sink = new FindingSink(options.onFinding ?? (() => {}));
  const at: { -readonly [K in keyof VerifyProgress]: VerifyProgress[K] } = {
    phase: "database",
    done: 0,
    total: 0,
    bytes: 0,
  };
  const progress = (more: Partial<VerifyProgress>): void => options.onProgress?.({ ...Object.assign(at, more) });
  const values = isFlowError(store.audit)
    ? await verifyWithoutRecords(store, store.audit, { readData, sink, progress })
    : await verifyRecords(store, store.audit, { readData, sink, progress, listener });
  return {
    schema: 1,
    ok: sink.totals.damage === 0 && sink.totals.unchecked === 0,
    totals: sink.totals,
    remedies: sink.remedies,
    ...values,
    ...(typeof readData === "boolean" ? {} : { subset: readData }),
  };
}

interface Verifying {
  readonly readData: boolean | readonly [number, number];
  readonly sink: FindingSink;
  readonly progress: (more: Partial<VerifyProgress>) => void;
}

async function verifyRecords(
  { artifacts, blobs, folder, bucket }: StoreUnderCheck,
  audit: RecordAudit,
  { readData, sink, progress, listener }: Verifying & { readonly listener: VerifyListener },
): Promise<ValueTotals> {
  const input: ValueCheckInput = {
    audit,
    artifacts,
    blobs,
    sink,
    readsAny: readData !== false,
    isRead: partOf(readData),
    onProgress: ({ blobs: done, bytes }) => progress({ done, bytes }),
    onBroken: listener.onBroken ?? (() => {}),
  };
  progress({ phase: "database" });
  for await (const fault of audit.databaseFaults()) sink.fault(fault);
  progress({ phase: "records" });
  await guarded(sink, "the records", async () => {
    const whole = await findWithoutRow(input);
    for await (const fault of audit.recordFaults()) {
      const isWhole = fault.check === "S03" && whole.has(fault.subject.digest ?? "");
      const evidence = `${fault.evidence}; its bytes are there all the same`;
      sink.fault(isWhole ? { ...fault, remedy: "repair", evidence } : fault);
    }
  });
  await guarded(sink, "the code packages", () =>
    checkPackages({ audit, artifacts, sink, onUntied: listener.onUntied ?? (() => {}) }),
  );
  progress({ phase: "values", total: await countOf(audit) });
  const nothing: ValueTotals = { values: 0, hashed: { blobs: 0, bytes: 0 } };
  const values = (await guarded(sink, "the values", () => checkValues(input))) ?? nothing;
  progress({ phase: "folder" });
  await guarded(sink, "the records of values", () => checkFolder({ audit, folder, sink }));
  if (bucket === undefined) return values;
  progress({ phase: "bucket" });
  await guarded(sink, "what the records say of their bucket", async () => {
    for await (const { check, kind, evidence, subject, remedy, mend } of bucket.faults({ isRead: input.isRead })) {
      if (mend?.kind === "run" && sink.doubtful.has(mend.name)) {
        const why = `; the records of ${mend.name} are damaged themselves, so no repair writes it again`;
        sink.add(check, kind, `${evidence}${why}`, { subject, remedy: "copy" });
        continue; // The bucket may be right about it.
      }
      sink.add(check, kind, evidence, { subject, ...(remedy === undefined ? {} : { remedy }) });
      if (mend !== undefined) listener.onBucket?.(mend);
    }
  });
  return values;
}

/** A page that cannot be read ends one part of the work, and is what that part has found. */
async function guarded<T>(sink: FindingSink, place: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!isFlowError(error, "FLOW_METADATA_CORRUPT")) throw error;
    sink.add("S01", "damage", `${place} cannot all be read: ${error.message}`, { remedy: "copy" });
    return undefined;
  }
}

async function countOf(audit: RecordAudit): Promise<number> {
  try {
    return (await audit.totals()).blobs;
  } catch {
    return 0; // It only tells how far it is; that the table cannot be read is told by those who read it.
  }
}

/** Without records, a file still says by its name what it must hash to. */
async function verifyWithoutRecords(
  { blobs, folder }: StoreUnderCheck,
  error: FlowError,
  { readData, sink, progress }: Verifying,
): Promise<ValueTotals> {
  const next = error.hint === undefined ? "" : `. ${error.hint}`;
  sink.add("S01", "damage", `the records cannot be read: ${error.message}${next}`, {
    remedy: "copy",
    subject: { file: "millrace.db" },
  });
  progress({ phase: "values" });
  const isRead = partOf(readData);
  const hashed = { blobs: 0, bytes: 0 };
  let values = 0;
  for (const keys of folder.files(BLOB_PREFIX)) {
    for (const key of keys) {
      const parsed = parseBlobKey(key);
      if (parsed === undefined) continue;
      values++;
      if (!isRead(parsed.digest)) continue;
      hashed.blobs++;
      const read = (start: number, end: number) => blobs.getSync(key, { start, end });
      const verdict = await inTurns(hashStored(read, parsed.compression, Number.MAX_SAFE_INTEGER), (bytes) => {
        hashed.bytes += bytes;
      });
      progress({ done: values, bytes: hashed.bytes });
      if (verdict.kind === "missing" || (verdict.kind === "payload" && verdict.digest === parsed.digest)) continue;
      const why = verdict.kind === "broken" ? verdict.why : `their digest is ${verdict.digest}`;
      sink.add("S04", "damage", `"${key}": the stored bytes are not those that were written, ${why}`, {
        subject: { digest: parsed.digest, file: key },
        remedy: "copy",
      });
    }
  }
  progress({ phase: "folder" });
  await checkFolder({ folder, sink });
  return { values, hashed };
}

/** Whether a value is in the part that is read. Digests are evenly spread, and so are their first eight digits. */
function partOf(readData: boolean | readonly [number, number]): (digest: Digest) => boolean {
  if (typeof readData === "boolean") return () => readData;
  const [part, parts] = readData;
  return (digest) => Number.parseInt(digest.slice(0, 8), 16) % parts === part - 1;
}
