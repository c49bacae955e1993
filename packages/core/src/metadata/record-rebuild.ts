/** Records that are built anew from what a bucket has of them (docs/formats/bucket.md). */
import type { Digest, NewBlob } from "../artifact/artifact.ts";
import type { RunId } from "../ids/run-id.ts";
import type { ArtifactTerm, CacheOfferRow, LogEnd, StartedRun } from "./bucket-records.ts";
import type { ImportedFacts, ImportedRow, RunImport } from "./imported-run.ts";
import type { RunSignature } from "./run-signature.ts";

/** What deletes runs, as their rows say it, of which a rebuild found no records. */
export const REBUILD_VIA = "flow store rebuild";

/** What a log says, line by line. Times are milliseconds since 1970; null is what a column holds. */
export type LogLine =
  | { readonly kind: "flow"; readonly id: number; readonly project: string; readonly name: string }
  | { readonly kind: "flow-name"; readonly project: string; readonly name: string; readonly flow: number }
  | (LoggedRun & { readonly kind: "begun" })
  | {
      readonly kind: "event";
      readonly sequence: number;
      readonly at: number;
      readonly actor: string;
      readonly host: string;
      readonly verb: string;
      readonly tag: string;
      readonly run: string | null;
      readonly via: string;
      readonly reason: string | null;
      readonly move: number | null;
      readonly action: string | null;
      readonly from: string | null;
      readonly checks: string | null;
      readonly policy: string | null;
      readonly previous: Digest;
      readonly digest: Digest;
    }
  | (RunSignature & { readonly kind: "signature"; readonly run: RunId | null; readonly position: number })
  | {
      readonly kind: "gone";
      readonly run: RunId;
      readonly step: string;
      readonly path: string;
      readonly attempt: number;
      readonly name: string;
      readonly reason: string;
      readonly at: number;
    }
  | (LoggedRun & {
      readonly kind: "deleted";
      readonly status: string;
      readonly deletedAt: number;
      readonly actor: string;
      readonly host: string;
      readonly via: string;
      readonly reason: string | null;
    })
  | {
      readonly kind: "request";
      readonly run: RunId | null;
      readonly tag: string;
      /** Absent when it was taken back. */
      readonly status?: "waiting" | "moved" | "refused" | undefined;
      readonly at?: number | undefined;
      readonly actor?: string | undefined;
      readonly host?: string | undefined;
      readonly via?: string | undefined;
      readonly reason?: string | null | undefined;
      readonly why?: string | null | undefined;
    };

/** A run with all its names. */
export interface LoggedRun {
  readonly id: RunId;
  readonly sequence: number;
  readonly number: number;
  readonly flow: number;
  readonly project: string;
  readonly name: string;
  readonly createdAt: number;
}

export type RebuiltFacts = Omit<ImportedFacts, "imported"> & {
  readonly sequence: number;
  readonly number: number;
  /** The row of its flow, for a flow that the log does not name. */
  readonly flowRow: number;
  readonly imported?: RunImport;
};

export type RebuiltRow =
  | ImportedRow
  | ({ readonly kind: "call" } & StartedRun)
  | ({ readonly kind: "term"; readonly task: number } & Omit<ArtifactTerm, "task">)
  | ({ readonly kind: "offer"; readonly task: number } & Omit<CacheOfferRow, "task">);

/** What is wrong: with which part of the records, in words. */
export interface RebuildFault {
  readonly run?: string;
  readonly message: string;
  /** Runs without which there would be no such fault; absent where it is not that of runs. */
  readonly without?: readonly RunId[];
}

export interface UnreadRun {
  readonly id: RunId;
  /** Such as `Train/17`. */
  readonly run: string;
  /** Runs that are there and read from it, take something over from it, started it, or were started by it. */
  readonly usedBy: readonly string[];
}

/** Takes the log first, then runs with their values, then what lies in the bucket; nothing is seen of it before `commit`. */
export interface RecordRebuild {
  tell(line: LogLine): void;
  /** Whether the log says that a run was deleted. */
  isDeleted(run: { readonly id: RunId; readonly number: number }): boolean;
  begin(run: RebuiltFacts): void;
  add(row: RebuiltRow): void;
  blob(blob: NewBlob): void;
  package(pack: { readonly digest: Digest; readonly manifest: string; readonly blobs: readonly Digest[] }): void;
  /** Ends the run that was begun, with what is wrong with its records. One with faults is taken back. */
  end(): readonly string[];
  /** Takes the run back that was begun. */
  abandon(): void;
  /** A value that the bucket holds under a key of its own. */
  found(value: {
    readonly digest: Digest;
    readonly compression: NewBlob["compression"];
    readonly sizeBytes: number;
  }): void;
  /**
   * Puts all together that leads from one run to another, when all are there.
   *
   * @param by who builds, for what is left of runs that the bucket does not have
   */
  finish(
    end: LogEnd,
    by: { readonly at: Date; readonly actor: string; readonly host: string },
  ): readonly RebuildFault[];
  /** After `finish`: runs that the log tells of and that were not read; they are listed as deleted. */
  readonly unread: readonly UnreadRun[];
  /** Makes it the database that it is to be; whatever stood there (nothing may) is not replaced. */
  commit(): void;
  /** Leaves nothing behind. */
  discard(): void;
}
