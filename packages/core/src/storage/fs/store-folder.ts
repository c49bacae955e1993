/** Where things lie inside a store folder (`.millrace/`), and how one is made; docs/formats/folder-layout.md. */
import fs, { constants } from "node:fs";
import path from "node:path";
import { errnoOf, fileError, foreignFile } from "./file-error.ts";

export interface StoreLayout {
  readonly folder: string;
  /** The records: a SQLite database; `-wal` and `-shm` files stand beside it while it is open. */
  readonly database: string;
  /** Values of more than 16 KiB; their keys begin with `blobs/`, so the blob store's own folder is `folder`. */
  readonly blobs: string;
  /** Files that are being written; nothing in here is ever read. */
  readonly temporary: string;
  /** Locked while garbage is collected or the store repaired; holds nothing, and is not there before. */
  readonly lock: string;
  /** Locked while a process tells a bucket whose service does not decide who was first; holds nothing, and is not there before. */
  readonly telling: string;
}

/** The paths of a store folder; touches nothing. */
export function storeLayout(folder: string): StoreLayout {
  const absolute = path.resolve(folder);
  return {
    folder: absolute,
    database: path.join(absolute, "millrace.db"),
    blobs: path.join(absolute, "blobs"),
    temporary: path.join(absolute, "tmp"),
    lock: path.join(absolute, "gc.lock"),
    telling: path.join(absolute, "tell.lock"),
  };
}

/**
 * Makes a store folder with everything in it that is no record and no value; one that is there stays as it is. Private
 * (0700) under any umask, kept out of git by a `.gitignore` of its own. Several processes may do this at once. When it
 * returns, the folder itself survives a power cut.
 *
 * @returns the layout, and whether this call made the folder
 * @throws FlowError FLOW_STORAGE_DENIED, FLOW_STORAGE_FULL, FLOW_STORAGE_FOREIGN_FILE, FLOW_STORAGE_UNAVAILABLE
 */
export function createStoreFolder(folder: string): { readonly layout: StoreLayout; readonly isNew: boolean } {
  const layout = storeLayout(folder);
  try {
    const parent = path.dirname(layout.folder);
    const firstMade = fs.mkdirSync(parent, { recursive: true });
    const isNew = makeFolder(layout.folder, { followLink: true });
    // Until there is a database, nothing is acknowledged that could be lost with the folder. Who made the folder may not
    // have come as far as this, so it is not asked who did.
    if (!fs.existsSync(layout.database)) syncFolders(parent, firstMade);
    makeFolder(layout.blobs, { followLink: false });
    makeFolder(layout.temporary, { followLink: false });
    writeIgnoreFile(path.join(layout.folder, ".gitignore"));
    return { layout, isNew };
  } catch (error) {
    throw fileError("Cannot make the store", layout.folder, error);
  }
}

/** Makes the folder that the folders of several stores lie in, private and kept out of git as they are. */
export function createOuterFolder(folder: string): void {
  try {
    fs.mkdirSync(path.dirname(folder), { recursive: true });
    if (makeFolder(folder, { followLink: true })) writeIgnoreFile(path.join(folder, ".gitignore"));
  } catch (error) {
    throw fileError("Cannot make the store", folder, error);
  }
}

/** Makes the names in a folder durable, and those of all folders above it from the first one that was made. */
function syncFolders(folder: string, firstMade: string | undefined): void {
  if (process.platform === "win32") return; // Folders cannot be opened there.
  const fd = fs.openSync(folder, constants.O_RDONLY);
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
  if (firstMade === undefined || folder === path.dirname(firstMade)) return;
  syncFolders(path.dirname(folder), firstMade);
}

function makeFolder(folder: string, options: { readonly followLink: boolean }): boolean {
  try {
    fs.mkdirSync(folder, { mode: 0o700 });
    fs.chmodSync(folder, 0o700);
    return true;
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
    const facts = options.followLink ? fs.statSync(folder) : fs.lstatSync(folder);
    if (!facts.isDirectory()) throw foreignFile(folder);
    return false;
  }
}

function writeIgnoreFile(file: string): void {
  try {
    fs.writeFileSync(file, "*\n", { flag: "wx", mode: 0o600 });
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
  }
}
