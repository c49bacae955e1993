import type { RunSequence } from "../metadata-store.ts";
import { openExisting } from "./connection.ts";
import { heartbeatSql } from "./reader-sql.ts";
import { fenced, noRun, runFinal } from "./run-errors.ts";
import { metadataError } from "./sqlite-error.ts";

/** Waiting for a lock stops the thread, which has nothing else to do: up to the time at which the next beat is due. */
const BUSY_TIMEOUT_MS = 4_000;

export interface HeartbeatWriter {
  /**
   * Says that the runner of an execution lives.
   *
   * @throws FlowError FLOW_METADATA_FENCED, FLOW_METADATA_RUN_FINAL, FLOW_METADATA_NO_RUN when it is not to be said any
   *   more; FLOW_METADATA_BUSY and others when it cannot be said now
   */
  beat(run: RunSequence, execution: number, at: Date): void;
  close(): void;
}

/** Opens the records in a file for heartbeats alone: synchronous, and without a query builder. */
export function openHeartbeatWriter(file: string): HeartbeatWriter {
  const db = openExisting(file, BUSY_TIMEOUT_MS);
  // A beat that a power cut takes away was of a runner that the power cut took away too.
  db.pragma("synchronous = NORMAL");
  const update = db.prepare(heartbeatSql.heartbeat);
  const status = db.prepare(heartbeatSql.runStatus);
  return {
    beat(run, execution, at) {
      try {
        if (update.run(at.getTime(), run, execution, "running").changes > 0) return;
      } catch (error) {
        throw metadataError("Cannot record that the run goes on", file, error);
      }
      const row = status.get(run) as { id: string; status: string; execution: number } | undefined;
      if (row === undefined) throw noRun(run);
      throw row.execution === execution ? runFinal(row.id, row.status) : fenced(row.id, execution, row.execution);
    },
    close() {
      db.close();
    },
  };
}
