import { FlowError, isFlowError } from "../../errors/flow-error.ts";

export function badFile(what: string, reason: string, cause?: unknown): FlowError {
  return new FlowError("FLOW_ARTIFACT_BAD_FILE", {
    message: `Cannot keep ${what}: ${reason}`,
    hint: "Give the path of a plain file, or of a folder of plain files, that is there until the step has ended",
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Runs what reads a file of the machine, and says in whose name it failed. */
export function fileError<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (isFlowError(error)) throw error;
    throw badFile(JSON.stringify(file), error instanceof Error ? error.message : String(error), error);
  }
}

export function corruptFolder(reason: string): FlowError {
  return new FlowError("FLOW_ARTIFACT_CORRUPT", {
    message: `Cannot read a folder: ${reason}`,
    hint: "Restore the value from a copy of the store, or run the step that kept it again",
  });
}
