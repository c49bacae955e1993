/** The folder that a store is copied to, from before its first value until its records are there. */
import fs from "node:fs";
import path from "node:path";
import type { StoreChoice } from "../config/find-store.ts";
import { FlowError } from "../errors/flow-error.ts";
import { asideName } from "../util/aside-name.ts";
import { placeOf } from "./open-stores.ts";
import { COPY_MARK, checkStoreFolder, makeStoreFolder, prepareStoreFolder } from "./prepare-folder.ts";
import { locateStore } from "./store-location.ts";

/**
 * Makes the target's folder if there is none.
 *
 * @param storeId  of the store that is copied; leaves the mark
 * @throws FlowError FLOW_CLIENT_NOT_A_STORE, FLOW_METADATA_CORRUPT (values without records, and no mark),
 *   FLOW_COPY_OTHER_STORE when another store was on its way here
 */
export function prepareCopyTarget(to: StoreChoice, storeId?: string): void {
  const location = locateStore(to);
  const marked = markOf(to.folder);
  if (marked === undefined) prepareStoreFolder(to.folder, location);
  else if (storeId !== undefined && marked !== storeId)
    throw new FlowError("FLOW_COPY_OTHER_STORE", {
      message: `Cannot copy the store to "${placeOf(to)}": the copy of another store, with the id ${marked}, was begun there`,
      hint: "Name an empty place, or go on with that copy",
      context: { to: placeOf(to), there: marked, here: storeId },
    });
  else makeStoreFolder(to.folder, location);
  if (storeId === undefined || marked !== undefined || fs.existsSync(location.databaseFile)) return;
  const aside = path.join(location.temporaryFolder, asideName("TMP"));
  fs.writeFileSync(aside, `${JSON.stringify({ store: storeId })}\n`, { mode: 0o600 });
  fs.renameSync(aside, path.join(to.folder, COPY_MARK));
}

/** As far as it can be told without making anything. */
export function checkCopyTarget(to: StoreChoice): void {
  if (markOf(to.folder) === undefined) checkStoreFolder(to.folder, locateStore(to));
}

/** The records are there: it is a store. */
export function finishCopy(to: StoreChoice): void {
  fs.rmSync(path.join(to.folder, COPY_MARK), { force: true });
}

/** Id of the store whose copy was begun in a folder. */
export function markOf(folder: string): string | undefined {
  try {
    const { store } = JSON.parse(fs.readFileSync(path.join(folder, COPY_MARK), "utf8")) as { readonly store?: unknown };
    return typeof store === "string" ? store : undefined;
  } catch {
    return undefined;
  }
}
