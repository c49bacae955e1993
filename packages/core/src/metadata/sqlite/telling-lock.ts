import { setTimeout as wait } from "node:timers/promises";
import Database from "better-sqlite3";
import { FlowError } from "../../errors/flow-error.ts";
import { createPrivateFile } from "./connection.ts";
import { isBusy, metadataError } from "./sqlite-error.ts";

/** As long as the store behind it is asked again and again. */
const LIMIT_MS = 180_000;
const LOOK_MS = 20;

/**
 * Waits until no other process of this machine tells a bucket of the same records, and keeps all others waiting until it is released. A lock of
 * SQLite on a file that holds nothing: it ends with its process.
 *
 * @throws FlowError FLOW_METADATA_BUSY after 3 minutes; FLOW_METADATA_UNAVAILABLE and others for a file that cannot be made
 */
export async function takeTellingLock(file: string, limitMs = LIMIT_MS): Promise<{ release(): void }> {
  createPrivateFile(file);
  const lock = new Database(file, { timeout: 0 });
  const end = performance.now() + limitMs;
  for (;;) {
    try {
      lock.pragma("journal_mode = MEMORY"); // Nothing is ever written: no journal is to lie in the store.
      lock.exec("BEGIN EXCLUSIVE");
      return { release: () => void lock.close() };
    } catch (error) {
      if (isBusy(error) && performance.now() < end) {
        await wait(LOOK_MS * (1 + Math.random()));
        continue;
      }
      lock.close();
      if (!isBusy(error)) throw metadataError("Cannot take turns", file, error);
      throw new FlowError("FLOW_METADATA_BUSY", {
        message: `Cannot tell the bucket: another process of this machine has been telling it for ${limitMs / 1_000} s`,
        hint: "See which program uses the store, and end it if it hangs",
        context: { path: file },
      });
    }
  }
}
