import { existsSync, readdirSync, type Stats, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { noteBucket } from "../config/bucket-folder.ts";
import { STORE_FOLDER } from "../config/find-store.ts";
import { FlowError } from "../errors/flow-error.ts";
import { fileError } from "../storage/fs/file-error.ts";
import { createOuterFolder, createStoreFolder } from "../storage/fs/store-folder.ts";
import { restoreRecords, youngestCopy } from "./kept-copies.ts";
import type { StoreLocation } from "./store-location.ts";

/** What an interrupted creation may leave behind, and what git's own file for the folder is called. */
const OWN_ENTRIES = new Set([".gitignore", "blobs", "tmp"]);

/** Names the store that is being copied to here: until its records are there, the folder is none. */
export const COPY_MARK = "copy.json";

/**
 * Makes the folder of a store if there is none.
 *
 * @returns whether the store is new: there was no database yet
 * @throws FlowError FLOW_CLIENT_NOT_A_STORE when the path is a file or a folder with other things in it; FLOW_STORAGE_DENIED
 *   and others of the storage room, naming the path
 */
export function prepareStoreFolder(folder: string, location: StoreLocation): boolean {
  const isNew = checkStoreFolder(folder, location);
  makeStoreFolder(folder, location);
  return isNew;
}

/** As `prepareStoreFolder`, whatever is there: for who is about to put records there that were lost. */
export function makeStoreFolder(folder: string, { bucket }: StoreLocation): void {
  if (bucket !== undefined) createOuterFolder(dirname(dirname(folder)));
  createStoreFolder(folder);
  if (bucket !== undefined) noteBucket(folder, bucket);
}

/**
 * Whether a store could be made there, or is there; touches nothing.
 *
 * @returns whether it would be new
 * @throws FlowError as `prepareStoreFolder`, but for what the system only says when something is made
 */
export function checkStoreFolder(folder: string, location: StoreLocation): boolean {
  const isNew = !existsSync(location.databaseFile);
  const state = stateOf(folder);
  if (state !== undefined && !state.isDirectory())
    throw notAStore(folder, "it is a file", "Name a folder with --store");
  if (state === undefined) refuseFileAbove(folder);
  if (state !== undefined) refuseLostRecords(folder, location);
  if (state !== undefined && isNew && location.bucket === undefined) refuseForeignFolder(folder);
  return isNew;
}

/**
 * Records that are gone or empty, beside values or older copies that are there: what would be made anew would give names a second time, and
 * the values to the next collection.
 *
 * @throws FlowError FLOW_METADATA_CORRUPT
 */
export function refuseLostRecords(folder: string, { databaseFile, blobFolder, bucket }: StoreLocation): void {
  if (!hasLostRecords(databaseFile, join(blobFolder, "blobs", "sha256"))) return;
  throw new FlowError("FLOW_METADATA_CORRUPT", {
    message: `Cannot use the store in "${folder}": it has held runs, and its records are ${existsSync(databaseFile) ? "empty" : "not there"}`,
    hint: existsSync(join(folder, COPY_MARK))
      ? `A copy of a store to here was not ended: type flow store copy again`
      : bucket !== undefined
        ? "Type flow store rebuild, which makes them of what the bucket holds"
        : `${restoreRecords(databaseFile)}; to begin anew, move the folder away`,
    context: { folder },
  });
}

function hasLostRecords(databaseFile: string, values: string): boolean {
  try {
    if ((statSync(databaseFile, { throwIfNoEntry: false })?.size ?? 0) > 0) return false;
    return (existsSync(values) && readdirSync(values).length > 0) || youngestCopy(databaseFile) !== undefined;
  } catch {
    return false; // What cannot be looked at cannot be opened either, and that says why.
  }
}

function stateOf(folder: string): Stats | undefined {
  try {
    return statSync(folder, { throwIfNoEntry: false });
  } catch (error) {
    throw fileError("Cannot make the store", folder, error);
  }
}

/** A folder cannot be made below a file; the system would only say that something "already exists". */
function refuseFileAbove(folder: string): void {
  for (let above = dirname(folder); above !== dirname(above); above = dirname(above)) {
    const state = stateOf(above);
    if (state?.isDirectory() === false) throw notAStore(folder, `"${above}" is a file`, "Name a folder with --store");
    if (state !== undefined) return;
  }
}

/**
 * `--store .` in a project would put a .gitignore that hides everything between the user's own files: a folder that is no
 * store yet must be empty, or hold only what an interrupted creation leaves.
 */
function refuseForeignFolder(folder: string): void {
  if (basename(folder) === STORE_FOLDER) return;
  const foreign = readdirSync(folder).filter((entry) => !OWN_ENTRIES.has(entry) && !entry.startsWith("millrace.db"));
  if (foreign.length === 0) return;
  throw notAStore(
    folder,
    `the folder holds other things, such as "${foreign.sort()[0]}"`,
    `Name a new folder, such as ${join(folder, STORE_FOLDER)}`,
  );
}

function notAStore(folder: string, why: string, hint: string): FlowError {
  return new FlowError("FLOW_CLIENT_NOT_A_STORE", {
    message: `Cannot make a store in "${folder}": ${why}`,
    hint,
    context: { folder },
  });
}
