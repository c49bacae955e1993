import Database from "better-sqlite3";
import { FlowError } from "../../../errors/flow-error.ts";
import { createPrivateFile } from "../connection.ts";
import { isBusy, metadataError } from "../sqlite-error.ts";

/**
 * Keeps all other collections and repairs of a store away until it is released. It is a lock of SQLite on a file that holds
 * nothing: such locks end with the process that holds them, however it ends, so that none is ever left behind.
 *
 * @param action  what cannot begin without it, e.g. `collect garbage`
 * @throws FlowError FLOW_GC_RUNNING; FLOW_METADATA_UNAVAILABLE and others for a file that cannot be made
 */
export function takeGcLock(file: string, action: string): { release(): void } {
  createPrivateFile(file);
  const lock = new Database(file, { timeout: 0 });
  try {
    lock.pragma("journal_mode = MEMORY"); // Nothing is ever written: no journal is to lie in the store.
    lock.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    lock.close();
    if (!isBusy(error)) throw metadataError(`Cannot begin to ${action}`, file, error);
    throw new FlowError("FLOW_GC_RUNNING", {
      message: `Cannot begin to ${action}: another collection, repair or copy goes on in this store`,
      hint: "Wait until it has ended",
      context: { path: file },
    });
  }
  return { release: () => void lock.close() };
}
