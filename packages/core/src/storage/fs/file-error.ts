import { FlowError, isFlowError } from "../../errors/flow-error.ts";

/** The system's error code (`ENOSPC`) of something thrown, or undefined. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/**
 * A failed file call as an error with a code, the path and what to do.
 *
 * @param action e.g. `Cannot store a value`
 */
export function fileError(action: string, path: string, error: unknown): FlowError {
  if (isFlowError(error)) return error;
  const errno = errnoOf(error);
  const reason =
    error instanceof Error ? error.message.replace(/^\w+: /, "").replace(/, \w+( '.*')?$/, "") : String(error);
  const details = {
    message: `${action} in "${path}": ${reason}${errno === undefined ? "" : ` (${errno})`}`,
    context: { path, ...(errno === undefined ? {} : { errno }) },
    cause: error,
  };
  switch (errno) {
    case "ENOSPC":
    case "EDQUOT":
      return new FlowError("FLOW_STORAGE_FULL", { ...details, hint: `Free room on the disk that holds "${path}"` });
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return new FlowError("FLOW_STORAGE_DENIED", {
        ...details,
        hint: `Give this user write access to "${path}", or choose another folder with --store`,
      });
    case "ELOOP":
      return foreignFile(path);
    case "ENOTDIR":
      return new FlowError("FLOW_STORAGE_BAD_KEY", {
        ...details,
        hint: "Move away the file that lies where a folder is needed",
      });
    case "EMFILE":
    case "ENFILE":
      return new FlowError("FLOW_STORAGE_UNAVAILABLE", {
        ...details,
        hint: "Raise the limit of open files (ulimit -n)",
      });
    default:
      return new FlowError("FLOW_STORAGE_UNAVAILABLE", {
        ...details,
        hint: `See that "${path}" can be used, or choose another folder with --store`,
      });
  }
}

/** Something that is neither a plain file nor a plain folder lies where the store keeps its own. */
export function foreignFile(path: string): FlowError {
  return new FlowError("FLOW_STORAGE_FOREIGN_FILE", {
    message: `Cannot use "${path}": it is not a plain file or folder of the store`,
    hint: "Remove it, or restore the store from a copy",
    context: { path },
  });
}
