import { FlowError } from "../../errors/flow-error.ts";
import type { BlobRow } from "../metadata-store.ts";
import { insertBlob } from "../sql/blobs.ts";
import { bytesOfDigest } from "../sql/rows.ts";
import { RowBatch } from "./row-batch.ts";
import { sqliteCode } from "./sqlite-error.ts";
import type { Statements } from "./statements.ts";

/** Whether the bytes of a blob that lies outside of the records are there; it is asked inside of transactions. */
export type HoldsBlob = (blob: BlobRow) => boolean;

/** Blobs that lie behind a network: whoever holds the lock of all writers is not to wait for it. */
export interface BlobsAhead {
  /** Whether `HoldsBlob` answers without asking anybody. */
  knows(blob: BlobRow): boolean;
  /** Sees to it that it does, for as long as nothing is deleted. */
  look(blobs: readonly BlobRow[]): Promise<void>;
}

/**
 * Writes blobs that are not there yet, inside the caller's transaction.
 *
 * A row that is new may name a file that its writer found instead of writing it, and garbage collection may have deleted
 * it since. It deletes inside of transactions too, and never what has a row: so a look in here settles it.
 *
 * @throws FlowError FLOW_METADATA_MISSING_BLOB
 */
export function insertBlobs(statements: Statements, blobs: readonly BlobRow[], holds?: HoldsBlob): void {
  if (blobs.length === 0) return;
  const insert = statements.raw(insertBlob, BLOB_COLUMNS);
  const small = smallBlobs(statements);
  small.begin();
  for (const blob of blobs) {
    const { digest, sizeBytes, storedBytes, compression, stored } = blob;
    if (stored !== undefined) {
      small.add(digest, [bytesOfDigest(digest), sizeBytes, storedBytes, compression, stored]);
      continue;
    }
    const { changes } = insert.run(bytesOfDigest(digest), sizeBytes, storedBytes, compression, null);
    if (changes === 0 || holds === undefined || holds(blob)) continue;
    throw missingBlob("a value", digest, "Go on with flow resume, or run again: what is missing is stored again");
  }
  small.flush();
}

const BLOB_COLUMNS = ["digest", "size_bytes", "stored_bytes", "compression", "stored"] as const;

const smallBlobsOf = new WeakMap<Statements, RowBatch<string>>();

/** Blobs whose bytes stand in their rows: nobody asks whether one was there. */
function smallBlobs(statements: Statements): RowBatch<string> {
  let small = smallBlobsOf.get(statements);
  if (small === undefined) {
    const insert = statements.raw(insertBlob, BLOB_COLUMNS);
    small = new RowBatch(statements, insertBlob, BLOB_COLUMNS, (_digest, values) => void insert.run(...values));
    smallBlobsOf.set(statements, small);
  }
  return small;
}

export const STORE_FIRST = "Store the value before the record that names it";

/** Runs a write of a row that names a blob; when the blob is not there, says so by name. */
export function namingABlob<T>(what: string, digest: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    if (sqliteCode(error) !== "SQLITE_CONSTRAINT_FOREIGNKEY") throw error;
    throw missingBlob(what, digest, STORE_FIRST, error);
  }
}

export function missingBlob(what: string, digest: string, hint: string, cause?: unknown): FlowError {
  return new FlowError("FLOW_METADATA_MISSING_BLOB", {
    message: `Cannot record ${what}: its bytes ${digest} are not stored`,
    hint,
    context: { digest },
    ...(cause === undefined ? {} : { cause }),
  });
}
