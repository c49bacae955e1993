import path from "node:path";
import { FlowError } from "../../errors/flow-error.ts";

/** A failed file call on the records, as an error with a code, the path and what to do. */
export function unavailable(file: string, error: unknown, folder = path.dirname(file)): FlowError {
  const code = errno(error);
  const reason = code === undefined ? String(error) : (REASONS[code] ?? "the system refuses it");
  const details = {
    message: `Cannot open the records in "${file}": ${reason}${code === undefined ? "" : ` (${code})`}`,
    context: { path: file, ...(code === undefined ? {} : { errno: code }) },
    cause: error,
  };
  switch (code) {
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return new FlowError("FLOW_METADATA_READ_ONLY", {
        ...details,
        hint: `Give this user write access to "${folder}", or choose another store with --store`,
      });
    case "ENOSPC":
    case "EDQUOT":
      return new FlowError("FLOW_METADATA_FULL", { ...details, hint: `Free room on the disk that holds "${file}"` });
    default:
      return new FlowError("FLOW_METADATA_UNAVAILABLE", {
        ...details,
        hint: "See that the folder is there, or choose another store with --store",
      });
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "this user has no right to it",
  EPERM: "this user has no right to it",
  EROFS: "the file system is mounted read-only",
  ENOENT: "it is not there",
  ENOTDIR: "a part of the path is not a folder",
  ENOSPC: "the disk is full",
  EDQUOT: "the quota is used up",
  EMFILE: "too many files are open",
};

/** The system's error code (`ENOSPC`) of something thrown, or undefined. */
export function errno(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
