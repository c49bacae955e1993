import { FlowError } from "../../errors/flow-error.ts";
import type { BlobRow } from "../metadata-store.ts";
import { insertBlob } from "../sql/blobs.ts";
import { bytesOfDigest } from "../sql/rows.ts";
import { sqliteCode } from "./sqlite-error.ts";
import type { Statements } from "./statements.ts";

/** Whether the bytes of a blob that lies outside of the records are there; it is asked inside of transactions. */
export type HoldsBlob = (blob: BlobRow) => boolean;

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
  const insert = statements.raw(insertBlob, ["digest", "size_bytes", "stored_bytes", "compression", "stored"]);
  for (const blob of blobs) {
    const { digest, sizeBytes, storedBytes, compression, stored } = blob;
    const { changes } = insert.run(bytesOfDigest(digest), sizeBytes, storedBytes, compression, stored ?? null);
    if (changes === 0 || stored !== undefined || holds === undefined || holds(blob)) continue;
    throw missingBlob("a value", digest, "Go on with flow resume, or run again: what is missing is stored again");
  }
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
