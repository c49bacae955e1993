import { statfsSync } from "node:fs";
import path from "node:path";
import { FlowError, isFlowError } from "../../errors/flow-error.ts";
import { unavailable } from "./system-error.ts";

/** SQLite's name of an error (`SQLITE_BUSY`), with its extension (`SQLITE_CONSTRAINT_UNIQUE`), or undefined. */
export function sqliteCode(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && code.startsWith("SQLITE_") ? code : undefined;
}

/** Whether somebody else holds a lock that will go away. */
export function isBusy(error: unknown): boolean {
  const code = sqliteCode(error);
  return code !== undefined && (code.startsWith("SQLITE_BUSY") || code.startsWith("SQLITE_LOCKED"));
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && "syscall" in error && "errno" in error;
}

/** What SQLite makes at once beside a database: 32 KiB of shared memory, and a log or journal with its first pages. */
const LEAST_ROOM_BYTES = 65_536;

/**
 * SQLite says SQLITE_FULL of a write alone; that there was no room for a file beside the database, or no inode, it calls
 * by other names and keeps to itself what the system has said. So the file system is asked.
 */
function isDiskFull(file: string): boolean {
  try {
    const { bavail, bsize, files, ffree } = statfsSync(path.dirname(file));
    return bavail * bsize < LEAST_ROOM_BYTES || (files > 0 && ffree === 0);
  } catch {
    return false; // It cannot be asked: then the first error is all that is known.
  }
}

/**
 * Anything that SQLite or the driver threw, as an error with a code, the file and what to do.
 *
 * @param action e.g. `Cannot open the records`
 */
export function metadataError(action: string, file: string, error: unknown): unknown {
  if (isFlowError(error)) return error;
  const code = sqliteCode(error);
  // Beside SQLite's own calls are those for the copy that is kept of an older schema.
  if (code === undefined) return isSystemError(error) ? unavailable(file, error) : error;
  const details = {
    message: `${action} in "${file}": ${(error as Error).message} (${code})`,
    context: { path: file, sqlite: code },
    cause: error,
  };
  if (isBusy(error)) {
    return new FlowError("FLOW_METADATA_BUSY", {
      ...details,
      hint: "End the program that holds the store, then try again",
    });
  }
  if (code === "SQLITE_NOTADB") {
    return new FlowError("FLOW_METADATA_NOT_A_STORE", {
      ...details,
      hint: "Choose the folder of a store with --store",
    });
  }
  if (code.startsWith("SQLITE_CORRUPT") || code === "SQLITE_FORMAT") {
    return new FlowError("FLOW_METADATA_CORRUPT", { ...details, hint: "Restore the store from a copy" });
  }
  if (code === "SQLITE_FULL" || (/^SQLITE_(IOERR|CANTOPEN)/.test(code) && isDiskFull(file))) {
    return new FlowError("FLOW_METADATA_FULL", {
      ...details,
      // What the system has said, which SQLite keeps to itself.
      message: `${action} in "${file}": no space left on device (ENOSPC, ${code})`,
      hint: `Free room on the disk that holds "${file}"`,
    });
  }
  if (code.startsWith("SQLITE_READONLY") || code === "SQLITE_PERM") {
    return new FlowError("FLOW_METADATA_READ_ONLY", {
      ...details,
      hint: `Give this user write access to "${file}" and its folder, or choose another store with --store`,
    });
  }
  if (
    code === "SQLITE_CONSTRAINT_UNIQUE" ||
    code === "SQLITE_CONSTRAINT_PRIMARYKEY" ||
    code === "SQLITE_CONSTRAINT_ROWID"
  ) {
    return new FlowError("FLOW_METADATA_CONFLICT", details);
  }
  if (
    code.startsWith("SQLITE_CONSTRAINT") ||
    code === "SQLITE_MISMATCH" ||
    code === "SQLITE_TOOBIG" ||
    code === "SQLITE_RANGE"
  ) {
    return new FlowError("FLOW_METADATA_BAD_ARGUMENT", details);
  }
  return new FlowError("FLOW_METADATA_UNAVAILABLE", {
    ...details,
    hint: `See that the disk that holds "${file}" has room and no errors, that this user may write there, and that more files may be open (ulimit -n)`,
  });
}
