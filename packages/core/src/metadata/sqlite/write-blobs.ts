import { FlowError } from "../../errors/flow-error.ts";
import type { BlobRow } from "../metadata-store.ts";
import { insertBlob } from "../sql/blobs.ts";
import { bytesOfDigest } from "../sql/rows.ts";
import { sqliteCode } from "./sqlite-error.ts";
import type { Statements } from "./statements.ts";

/** Writes blobs that are not there yet, inside the caller's transaction. */
export function insertBlobs(statements: Statements, blobs: readonly BlobRow[]): void {
  if (blobs.length === 0) return;
  const insert = statements.raw(insertBlob, ["digest", "size_bytes", "stored_bytes", "compression", "stored"]);
  for (const blob of blobs) {
    insert.run(bytesOfDigest(blob.digest), blob.sizeBytes, blob.storedBytes, blob.compression, blob.stored ?? null);
  }
}

/** Runs a write of a row that names a blob; when the blob is not there, says so by name. */
export function namingABlob<T>(what: string, digest: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    if (sqliteCode(error) !== "SQLITE_CONSTRAINT_FOREIGNKEY") throw error;
    throw missingBlob(what, digest, error);
  }
}

export function missingBlob(what: string, digest: string, cause: unknown): FlowError {
  return new FlowError("FLOW_METADATA_MISSING_BLOB", {
    message: `Cannot record ${what}: its value ${digest} is not stored`,
    hint: "Store the value before the record that names it",
    context: { digest },
    cause,
  });
}
