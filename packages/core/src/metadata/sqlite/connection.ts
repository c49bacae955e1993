/**
 * How a database file is opened: private from its first byte, never through a link, with the settings that the promises
 * of the store rest on. Used by the store and by the readers of tasks, so it loads nothing but the driver.
 */
import fs, { constants, type Stats } from "node:fs";
import path from "node:path";
import Database from "better-sqlite3";
import { FlowError } from "../../errors/flow-error.ts";
import { sqliteCode } from "./sqlite-error.ts";
import { errno, unavailable } from "./system-error.ts";

export type Connection = Database.Database;

/** "MILR": stands in the header of every database of Millrace. */
export const APPLICATION_ID = 0x4d494c52;

/** Opens a file that exists for reading; waits up to 10 s for a lock, which in WAL only recovery takes. */
export function openReader(file: string): Connection {
  checkPlainFile(file);
  checkPlainSiblings(file);
  const db = new Database(file, { readonly: true, fileMustExist: true, timeout: 10_000 });
  try {
    db.pragma("temp_store = MEMORY");
    db.pragma("schema_version"); // the first read, which opens the log
    return db;
  } catch (error) {
    db.close();
    if (!CANNOT_WRITE_BESIDE.has(sqliteCode(error) ?? "")) throw error;
    const copy = openCopy(file);
    if (copy === undefined) throw error;
    return copy;
  }
}

/** What SQLite says when it may not make the files that even a reader of WAL needs beside the database. */
const CANNOT_WRITE_BESIDE = new Set(["SQLITE_READONLY_DIRECTORY", "SQLITE_READONLY_CANTINIT", "SQLITE_CANTOPEN"]);

/** A store whose records are larger than this is not read from a folder that cannot be written. */
const MAX_COPY_BYTES = 512 * 1024 ** 2;

/**
 * A store in a folder that may only be read (another user's, an archive, a read-only mount) is read as it is now, from
 * memory. This is whole only when no log stands beside it, that is when no one has it open for writing.
 */
function openCopy(file: string): Connection | undefined {
  const log = fs.statSync(`${file}-wal`, { throwIfNoEntry: false });
  if ((log !== undefined && log.size > 0) || fs.statSync(file).size > MAX_COPY_BYTES) return undefined;
  const bytes = fs.readFileSync(file);
  // Bytes 18 and 19 say "WAL", which a database in memory cannot have; 1 says "rollback journal".
  // See https://www.sqlite.org/fileformat.html, "file format version numbers".
  if (bytes[18] === 2 && bytes[19] === 2) bytes.fill(1, 18, 20);
  return new Database(bytes, { readonly: true });
}

/** The thread stands still for as long; the rest of the waiting is done by timers (`WriteTurns`). */
const BUSY_TIMEOUT_MS = 5;

/** Opens a file for writing and makes it, private, when it is not there. */
export function openWriter(file: string): Connection {
  refuseNetworkFolder(path.dirname(file));
  createPrivateFile(file);
  const db = new Database(file, { timeout: BUSY_TIMEOUT_MS });
  try {
    // An acknowledged write survives a power cut only with FULL; measured at 0.3 ms a commit, shared by a whole tick.
    db.pragma("synchronous = FULL");
    db.pragma("foreign_keys = ON");
    db.pragma("temp_store = MEMORY");
    db.pragma("cache_size = -16384"); // KiB: indices over digests are touched all over
    db.pragma("wal_autocheckpoint = 4000"); // pages, 16 MiB: a checkpoint costs two more fsyncs, so not every few ticks
    db.pragma("journal_size_limit = 67108864"); // bytes: a log that grew beside a long reader is cut again
  } catch (error) {
    db.close();
    throw error;
  }
  return db;
}

/** Opens a file that another connection of this process has open for writing; never makes one. */
export function openExisting(file: string, busyTimeoutMs: number): Connection {
  checkPlainFile(file, { mayNotBeShared: true });
  checkPlainSiblings(file, { mayNotBeShared: true });
  return new Database(file, { fileMustExist: true, timeout: busyTimeoutMs });
}

/** Makes a file that only its user may read; one that is there must be a plain one. */
export function createPrivateFile(file: string): void {
  checkPlainSiblings(file, { mayNotBeShared: true });
  if (checkPlainFile(file, { mayBeMissing: true, mayNotBeShared: true })) {
    checkWritable(file);
    return;
  }
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);
  try {
    const fd = fs.openSync(file, flags, 0o600);
    try {
      fs.fchmodSync(fd, 0o600); // open() takes the umask away from the mode, which may leave too little.
    } finally {
      fs.closeSync(fd);
    }
    syncFolder(path.dirname(file));
  } catch (error) {
    if (errno(error) !== "EEXIST") throw unavailable(file, error);
  }
}

/**
 * Files that SQLite makes and finds by the name of the database. It would follow a link that lies in place of a log, and
 * write what the log holds to wherever the link leads.
 */
const SIBLINGS = ["-wal", "-shm", "-journal"];

function checkPlainSiblings(file: string, options: { readonly mayNotBeShared?: boolean } = {}): void {
  for (const ending of SIBLINGS) checkPlainFile(`${file}${ending}`, { ...options, mayBeMissing: true });
}

/**
 * Whether a plain file is there; anything else under the name is refused. A file that is written (`mayNotBeShared`) may
 * have no second name either: what is written would change under that name too, and two programs that open one database
 * by two names have a log each, which ruins it.
 *
 * @see https://www.sqlite.org/howtocorrupt.html, "Multiple links to the same file"
 */
function checkPlainFile(
  file: string,
  options: { readonly mayBeMissing?: boolean; readonly mayNotBeShared?: boolean } = {},
): boolean {
  let facts: Stats;
  try {
    facts = fs.lstatSync(file);
  } catch (error) {
    if (errno(error) === "ENOENT" && options.mayBeMissing === true) return false;
    throw unavailable(file, error);
  }
  if (facts.isDirectory())
    throw new FlowError("FLOW_METADATA_NOT_A_STORE", {
      message: `Cannot open the records in "${file}": a folder lies where the file belongs`,
      hint: "Move the folder away and put the file back from a copy of the store, or choose another store with --store",
      context: { path: file },
    });
  const isShared = options.mayNotBeShared === true && facts.nlink > 1;
  if (facts.isFile() && !isShared) return true;
  throw new FlowError("FLOW_METADATA_NOT_A_STORE", {
    message: `Cannot open the records in "${file}": ${isShared ? "the file has a second name (a hard link)" : "it is not a plain file"}`,
    hint: isShared
      ? "Put a copy of the file in its place (cp, then mv), or choose another store with --store"
      : "Choose the folder of a store with --store",
    context: { path: file },
  });
}

/** SQLite opens a file that it may not write for reading, and fails much later: say it at once. */
function checkWritable(file: string): void {
  for (const place of [file, path.dirname(file)]) {
    try {
      fs.accessSync(place, constants.R_OK | constants.W_OK);
    } catch (error) {
      throw unavailable(place, error, path.dirname(file));
    }
  }
}

/** What Linux calls the file systems on which locks and shared memory of two machines do not meet. */
const NETWORK_TYPES: Readonly<Record<number, string>> = {
  26985: "NFS",
  20859: "SMB",
  4283649346: "SMB",
  4266872130: "SMB",
};

/**
 * Refuses a folder on a network file system: WAL needs memory that all writers share, which two machines do not have.
 *
 * @param typeOf the type of a folder's file system, as statfs gives it
 * @see https://www.sqlite.org/wal.html, "All processes using a database must be on the same host computer"
 */
export function refuseNetworkFolder(folder: string, typeOf: (folder: string) => number = fileSystemType): void {
  const name = NETWORK_TYPES[typeOf(folder) >>> 0];
  if (name === undefined) return;
  throw new FlowError("FLOW_METADATA_NETWORK_FOLDER", {
    message: `Cannot keep records in "${folder}": it lies on a network file system (${name})`,
    hint: "Choose a folder on a local disk with --store or MILLRACE_STORE",
    context: { path: folder },
  });
}

function fileSystemType(folder: string): number {
  if (process.platform !== "linux") return 0;
  try {
    return fs.statfsSync(folder).type;
  } catch {
    return 0; // A folder that cannot be asked cannot be opened either, and that error says more.
  }
}

/** A name that was given in a folder survives a power cut. */
export function syncFolder(folder: string): void {
  if (process.platform === "win32") return;
  const fd = fs.openSync(folder, constants.O_RDONLY);
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
