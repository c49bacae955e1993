/**
 * The contract of an audit of records: what `flow store verify` asks a metadata store about itself, and what
 * `flow store repair` has it mend. An audit changes nothing, reads in short transactions while others write, and turns
 * every damage into a fault in words: a page that cannot be read is a finding, not an error.
 */
import type { Digest } from "../artifact/artifact.ts";
import type { BucketSide } from "./bucket-audit.ts";
import type { BlobRow } from "./metadata-store.ts";

/** Checks on records; the list of all stands in docs/guide/store.md. */
export type RecordCheckId = "S01" | "S02" | "S03" | "S05" | "S06" | "S07" | "S08" | "S11";

/**
 * What helps: `repair` (flow store repair rebuilds it), `rerun` (a step that is run again, or a copy), `copy` (only a copy
 * of the store).
 */
export type Remedy = "repair" | "rerun" | "copy";

export interface FaultSubject {
  readonly run?: string;
  readonly task?: string;
  readonly artifact?: string;
  readonly digest?: string;
  readonly table?: string;
}

export interface RecordFault {
  readonly check: RecordCheckId;
  /** `note`: worth knowing, and no damage. */
  readonly kind: "damage" | "note";
  /** What was seen, in words. */
  readonly evidence: string;
  readonly subject: FaultSubject;
  readonly remedy?: Remedy;
}

/** A record that names a value. */
export interface BlobUse {
  /** Such as `Train/17`; absent for a code package that no run names, and where the records lead nowhere. */
  readonly run?: string;
  readonly runId?: string;
  /** Such as `Train/17/evaluate/3`. */
  readonly task?: string;
  readonly step?: string;
  /** The task's number: a lower one was begun earlier. */
  readonly number?: number;
  /** The artifact's name, or `items` for a page of them. */
  readonly artifact?: string;
  readonly kind: "artifact" | "items" | "value" | "package";
  /** Whether its run has no code: `flow put` recorded it, and nothing of it can be run again. */
  readonly isPut?: boolean;
  /** The size as this record has it. */
  readonly sizeBytes?: number;
  /** In words: `"noise" of Train/17/evaluate/3`. */
  readonly what: string;
}

/** The records that name one value: the first of them, and how many there are. */
export interface BlobUses {
  readonly first: readonly BlobUse[];
  readonly count: number;
}

export interface AuditedBlob extends BlobRow {
  readonly isInline: boolean;
  /** Of a value inside the database: how many bytes lie there. */
  readonly inlineBytes?: number;
}

export interface AuditedPackage {
  readonly digest: Digest;
  readonly manifest: string;
  readonly blobs: readonly Digest[];
  /** The first run that was made with it. */
  readonly run?: string;
}

export interface RecordAudit {
  readonly schemaVersion: number;
  /** Faults of the database itself: its pages, indexes and schema. */
  databaseFaults(): AsyncIterable<RecordFault>;
  /** Faults of records and of what they refer to. */
  recordFaults(): AsyncIterable<RecordFault>;
  /** All values, in pages, each in a read of its own; `stored` is there when `withBytes` asks for it. */
  blobs(options: { readonly withBytes: boolean }): AsyncIterable<readonly AuditedBlob[] | RecordFault>;
  /** One value as it is recorded now. */
  blob(digest: Digest): Promise<BlobRow | undefined>;
  /** Which of some digests have no row of their own as values that lie outside the database. */
  withoutRow(digests: readonly Digest[]): Promise<ReadonlySet<Digest>>;
  /** Digests that records name and that no value's row has. */
  missingBlobs(): Promise<readonly Digest[]>;
  uses(digests: readonly Digest[]): Promise<ReadonlyMap<Digest, BlobUses>>;
  /** Items of a foreach whose pages are lost, or do not hold as many: whoever goes on from them has none. */
  lostItems(): Promise<readonly BlobUse[]>;
  packages(): AsyncIterable<AuditedPackage>;
  /** Digests of code packages that runs and executions name and that are not there, with the first such run. */
  missingPackages(): Promise<readonly { readonly digest: Digest; readonly run: string }[]>;
  /** What the records say of the bucket of their store. */
  readonly bucket: BucketSide;
  totals(): Promise<{ readonly blobs: number; readonly storedBytes: number; readonly runs: number }>;
  close(): Promise<void>;
}

/** What a repair is to write about values; all else it finds out by itself. */
export interface RecordRepairs {
  /** Rows for values whose bytes are there and whole, in place of what the row says now or of a row that is gone. */
  readonly blobs: readonly BlobRow[];
  /** Values inside the database whose bytes are broken and were put aside. */
  readonly withoutBytes: readonly Digest[];
  /** Values whose bytes are broken: sizes that other records give of them are not to be corrected by theirs. */
  readonly damaged: ReadonlySet<Digest>;
  /** Blobs that a package's own manifest names and that are not tied to it. */
  readonly packageBlobs: readonly { readonly package: Digest; readonly digest: Digest }[];
}

/** What a repair did to records. */
export interface RecordRepairReport {
  /** In words, one for each thing that was rebuilt. */
  readonly done: readonly string[];
  /** The copy that was taken before the first change; absent when nothing was to be changed. */
  readonly copy?: string;
}
