import { FlowError } from "../errors/flow-error.ts";

const AGAIN = "Get the file again, or export the runs again: nothing was imported";

/** A file that is refused: `why` says what is wrong, where in the file. Nothing was changed. */
export function badFile(file: string, why: string, cause?: unknown, hint = AGAIN): FlowError {
  return new FlowError("FLOW_TRANSFER_BAD_FILE", {
    message: `Cannot import "${file}": ${why}`,
    hint,
    context: { file },
    ...(cause === undefined ? {} : { cause }),
  });
}
