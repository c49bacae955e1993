/**
 * Stored values: each record of one leads to bytes of the recorded size, and the bytes, where they are read, hash to the
 * digest. What looks wrong is looked at again before it is told, since a run may have mended it meanwhile; and a record that
 * is wrong about sound bytes is told apart from broken bytes, which alone are lost.
 */
import type { BlobRow, Digest } from "../../artifact/artifact.ts";
import type { ArtifactStore, BlobVerdict } from "../../artifact/artifact-store.ts";
import { blobKey } from "../../artifact/blob-layout.ts";
import { DEFAULT_MAX_BYTES } from "../../artifact/value-codec.ts";
import { isFlowError } from "../../errors/flow-error.ts";
import type { AuditedBlob, BlobUses, RecordAudit } from "../../metadata/record-audit.ts";
import type { SyncBlobStore } from "../../storage/blob-store.ts";
import { inTurns } from "../../util/in-turns.ts";
import type { FindingSink, StoreFinding } from "./finding.ts";

export interface ValueCheckInput {
  readonly audit: RecordAudit;
  readonly artifacts: ArtifactStore;
  readonly blobs: SyncBlobStore;
  readonly sink: FindingSink;
  /** Which values are read and hashed. */
  readonly isRead: (digest: Digest) => boolean;
  readonly readsAny: boolean;
  readonly onProgress: (step: { readonly blobs: number; readonly bytes: number }) => void;
  /** Called for each value whose bytes are broken or whose record is wrong: what a repair goes by. */
  readonly onBroken: (broken: BrokenValue) => void;
}

export type BrokenValue =
  /** The bytes are not those that were written. `key` is the file that holds them; absent for a value in the database. */
  | { readonly kind: "damaged"; readonly digest: Digest; readonly key?: string }
  | { readonly kind: "missing"; readonly digest: Digest }
  /** The bytes are whole, and the record should be this one. */
  | { readonly kind: "misrecorded"; readonly row: BlobRow };

interface Suspect {
  readonly row: BlobRow;
  readonly why: string;
  readonly kind: "damaged" | "missing" | "unchecked";
}

export interface ValueTotals {
  readonly values: number;
  readonly hashed: { readonly blobs: number; readonly bytes: number };
}

export async function checkValues(input: ValueCheckInput): Promise<ValueTotals> {
  let values = 0;
  const hashed = { blobs: 0, bytes: 0 };
  for await (const page of input.audit.blobs({ withBytes: input.readsAny })) {
    if (!("length" in page)) {
      input.sink.fault(page);
      continue;
    }
    const suspects: Suspect[] = [];
    for (const blob of page) {
      const isRead = input.isRead(blob.digest);
      const suspect = isRead ? await lookInto(input, blob, hashed) : await lookAt(input, blob);
      if (suspect !== undefined) suspects.push(suspect);
      values++;
      input.onProgress({ blobs: values, bytes: hashed.bytes });
    }
    await tellOf(input, suspects);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return { values, hashed };
}

/** Whether the bytes are there, as many as were stored. */
async function lookAt(input: ValueCheckInput, blob: AuditedBlob): Promise<Suspect | undefined> {
  if (blob.isInline && blob.inlineBytes === blob.storedBytes) return undefined;
  if (!blob.isInline) {
    try {
      if (input.artifacts.holdsSync(blob)) return undefined;
    } catch (error) {
      return suspectOf(blob, error);
    }
  }
  return await lookInto(input, blob);
}

/** Whether the bytes hash to their digest, read in pieces. */
async function lookInto(
  input: ValueCheckInput,
  blob: AuditedBlob,
  hashed?: { blobs: number; bytes: number },
): Promise<Suspect | undefined> {
  const first = await examine(input, blob, hashed);
  if (isSound(first, blob)) return undefined;
  // Again, as it is recorded now: its row may have gone, or a run may have stored the value once more.
  const row = await input.audit.blob(blob.digest);
  if (row === undefined) return undefined;
  const second = await examine(input, row);
  if (isSound(second, row)) return undefined;
  if (second instanceof Error) return suspectOf(row, second);
  if (second.kind === "whole") {
    tellOfRecord(input, row, second);
    return undefined;
  }
  return { row, why: second.why, kind: second.kind };
}

function isSound(verdict: BlobVerdict | Error, row: BlobRow): boolean {
  return (
    !(verdict instanceof Error) &&
    verdict.kind === "whole" &&
    verdict.payloadBytes === row.sizeBytes &&
    verdict.storedBytes === row.storedBytes &&
    verdict.form === row.compression
  );
}

async function examine(
  { artifacts }: ValueCheckInput,
  row: BlobRow,
  hashed?: { blobs: number; bytes: number },
): Promise<BlobVerdict | Error> {
  if (hashed !== undefined) hashed.blobs++;
  try {
    return await inTurns(artifacts.examine(row), (bytes) => {
      if (hashed !== undefined) hashed.bytes += bytes;
    });
  } catch (error) {
    if (isFlowError(error) && error.code !== "FLOW_INTERNAL") return error;
    throw error;
  }
}

/** What could not be read: a disk that fails is damage, a right that is missing is not. */
function suspectOf(row: BlobRow, error: unknown): Suspect {
  if (!isFlowError(error)) throw error;
  const isBroken = error.code === "FLOW_STORAGE_FOREIGN_FILE" || error.context.errno === "EIO";
  return { row, why: error.message, kind: isBroken ? "damaged" : "unchecked" };
}

/** A second opinion on bytes that do not fit their record, then findings with the names of all that refers to them. */
async function tellOf(input: ValueCheckInput, suspects: readonly Suspect[]): Promise<void> {
  if (suspects.length === 0) return;
  const uses = await input.audit.uses(suspects.map(({ row }) => row.digest));
  for (const { row, why, kind } of suspects) {
    const use = uses.get(row.digest);
    const other = kind === "damaged" ? await byOtherRecords(input, row, use) : undefined;
    if (other !== undefined) {
      tellOfRecord(input, row, other, use);
      continue;
    }
    const key = row.stored === undefined ? fileOf(input, row) : undefined;
    const subject = subjectOf(
      row.digest,
      use,
      key ?? (row.stored === undefined ? blobKey(row.digest, row.compression) : undefined),
    );
    const who = `${inWords(use)} (${row.digest})`;
    // A run that stores it again must not find it broken: so it is put aside like any other, and harms nobody meanwhile.
    const isNamed = use !== undefined && use.count > 0;
    const harm = isNamed ? "damage" : "note";
    const next = isNamed ? "" : "; flow store gc takes it away";
    if (kind === "unchecked") {
      input.sink.add("S04", "unchecked", `${who}: ${why}`, { subject });
    } else if (kind === "missing") {
      input.sink.add("S03", harm, `${who}: ${why}${next}`, { subject, ...(isNamed ? { remedy: "rerun" } : {}) });
      input.onBroken({ kind: "missing", digest: row.digest });
    } else {
      const place = key === undefined ? "in the database" : `in "${key}"`;
      input.sink.add("S04", harm, `${who}, ${place}: ${why}${next}`, { subject, remedy: "repair" });
      input.onBroken({ kind: "damaged", digest: row.digest, ...(key === undefined ? {} : { key }) });
    }
  }
}

/** The bytes by the sizes that other records give: the value's own may be the one that is wrong. */
async function byOtherRecords(
  input: ValueCheckInput,
  row: BlobRow,
  uses: BlobUses | undefined,
): Promise<Extract<BlobVerdict, { kind: "whole" }> | undefined> {
  const sizes = new Set(uses?.first.flatMap(({ sizeBytes }) => (sizeBytes === undefined ? [] : [sizeBytes])));
  sizes.add(row.sizeBytes);
  sizes.add(DEFAULT_MAX_BYTES); // No record may be right: then as much as a value may be.
  for (const sizeBytes of sizes) {
    for (const compression of ["none", "zstd"] as const) {
      const verdict = await examine(input, { ...row, sizeBytes, compression });
      if (!(verdict instanceof Error) && verdict.kind === "whole") return verdict;
    }
  }
  return undefined;
}

/** The bytes are whole, and what is recorded of them is not so. */
function tellOfRecord(
  input: ValueCheckInput,
  row: BlobRow,
  { payloadBytes, storedBytes, form }: Extract<BlobVerdict, { kind: "whole" }>,
  use?: BlobUses,
): void {
  const right: BlobRow = { ...row, sizeBytes: payloadBytes, storedBytes, compression: form };
  const isReadable = row.sizeBytes === payloadBytes;
  const wrong = (["sizeBytes", "storedBytes", "compression"] as const)
    .filter((name) => row[name] !== right[name])
    .map((name) => `${WORDS[name]} is recorded as ${row[name]} and is ${right[name]}`);
  // Another release of zstd may have stored the value again: then only what is kept beside it is out of date.
  input.sink.add(
    isReadable ? "S07" : "S05",
    isReadable && row.stored === undefined ? "note" : "damage",
    `${use === undefined ? "the value" : inWords(use)} (${row.digest}) is whole: ${wrong.join(", ")}`,
    { subject: subjectOf(row.digest, use), remedy: "repair" },
  );
  input.onBroken({ kind: "misrecorded", row: right });
}

const WORDS = { sizeBytes: "its size", storedBytes: "its stored size", compression: "its compression" } as const;

/**
 * Values that records name and that have no row: their bytes may be there all the same.
 *
 * @returns the digests of those that are whole in the blob store
 */
export async function findWithoutRow(input: ValueCheckInput): Promise<ReadonlySet<string>> {
  const whole = new Set<string>();
  const missing = await input.audit.missingBlobs();
  for (let at = 0; at < missing.length; at += 500) {
    const digests = missing.slice(at, at + 500);
    const uses = await input.audit.uses(digests);
    for (const digest of digests) {
      const row: BlobRow = { digest, sizeBytes: 0, storedBytes: 0, compression: "none" };
      const verdict = await byOtherRecords(input, row, uses.get(digest));
      if (verdict === undefined) {
        input.onBroken({ kind: "missing", digest });
        continue;
      }
      const { payloadBytes, storedBytes, form } = verdict;
      whole.add(digest);
      input.onBroken({ kind: "misrecorded", row: { digest, sizeBytes: payloadBytes, storedBytes, compression: form } });
    }
  }
  return whole;
}

/** The file that holds broken bytes: of the recorded form, else of the other one. */
function fileOf({ blobs }: ValueCheckInput, { digest, compression }: BlobRow): string | undefined {
  for (const form of compression === "zstd" ? (["zstd", "none"] as const) : (["none", "zstd"] as const)) {
    const key = blobKey(digest, form);
    try {
      if (blobs.statSync(key) !== undefined) return key;
    } catch {
      return key; // No plain file, and in its place.
    }
  }
  return undefined;
}

/** `"noise" of Train/17/evaluate/3 and 4 others`. */
export function inWords(uses: BlobUses | undefined): string {
  const [first] = uses?.first ?? [];
  if (uses === undefined || first === undefined) return "a value that no record names";
  const others = uses.count - 1;
  return others === 0 ? first.what : `${first.what} and ${others} ${others === 1 ? "other" : "others"}`;
}

function subjectOf(digest: Digest, uses: BlobUses | undefined, file?: string): StoreFinding["subject"] {
  const first = uses?.first[0];
  const named = ({ run, task, artifact }: NonNullable<typeof first>) => ({
    ...(run === undefined ? {} : { run }),
    ...(task === undefined ? {} : { task }),
    ...(artifact === undefined ? {} : { artifact }),
  });
  return {
    digest,
    ...(first === undefined ? {} : named(first)),
    ...(file === undefined ? {} : { file }),
    ...(uses === undefined ? {} : { uses: uses.first.map(named), useCount: uses.count }),
  };
}
