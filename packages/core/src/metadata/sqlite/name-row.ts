import { FlowError, isFlowError } from "../../errors/flow-error.ts";
import { RowNames } from "./audit/row-names.ts";
import type { Connection } from "./connection.ts";

/** A row that cannot be read, told with the run or task that it belongs to: one bad row is not a bad store. */
export function nameRow(db: Connection, error: unknown): unknown {
  if (!isFlowError(error, "FLOW_METADATA_CORRUPT")) return error;
  const { rowOfRun, rowOfTask, ...context } = error.context;
  if (typeof rowOfRun !== "number") return error;
  const names = new RowNames(db);
  const run = names.run(rowOfRun);
  const task = typeof rowOfTask === "number" ? names.task(rowOfTask) : undefined;
  return new FlowError("FLOW_METADATA_CORRUPT", {
    message: `Cannot read ${task ?? run}: ${error.message.replace(/^Cannot read the records: /, "")}`,
    hint: `Restore the store from a copy; or delete the run with flow runs delete ${run}, and import an export of it if there is one`,
    context: { ...context, run, ...(task === undefined ? {} : { task }) },
    cause: error,
  });
}
