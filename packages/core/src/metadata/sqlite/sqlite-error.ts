import { FlowError, isFlowError } from "../../errors/flow-error.ts";

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

/**
 * Anything that SQLite or the driver threw, as an error with a code, the file and what to do.
 *
 * @param action e.g. `Cannot open the records`
 */
export function metadataError(action: string, file: string, error: unknown): unknown {
  if (isFlowError(error)) return error;
  const code = sqliteCode(error);
  if (code === undefined) return error;
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
  if (code === "SQLITE_FULL") {
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
    hint: `See that the disk that holds "${file}" has room and no errors, and that this user may write there`,
  });
}
