/**
 * How a value comes into a folder: written aside under a random name, fsync, linked to its own name (which fails when
 * the name is taken, so nothing is replaced by chance), then fsync of the folder. A crash at any point leaves either
 * nothing or the whole value under the name, and at worst a file aside that nobody reads. A damaged value is repaired in
 * the same way, renamed over the old file instead of linked.
 */
import { constants } from "node:fs";
import path from "node:path";
import { asideName } from "../../util/aside-name.ts";
import { call, type FileSteps } from "./file-calls.ts";
import { errnoOf, foreignFile } from "./file-error.ts";

/** Every system refuses or cuts a single write of 2 GiB or more. */
const MAX_WRITE_BYTES = 1024 ** 3;
/** IOV_MAX of Linux and macOS. */
const MAX_WRITE_CHUNKS = 1_024;
/** Windows has no such flag; links there need a privilege of their own. */
const NO_FOLLOW = constants.O_NOFOLLOW ?? 0;
const WRITE_ASIDE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | NO_FOLLOW;
/** What file systems without hard links answer. */
const NO_LINKS = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);

export interface WriteTarget {
  /** Where the value belongs. */
  readonly file: string;
  /** Folder for the file aside; must be on the same file system. */
  readonly temporaryFolder: string;
  /** Folders that are known to exist, durably; kept by the store between calls. */
  readonly knownFolders: Set<string>;
  /** Everything lies inside this folder; it and those above it may be links, those below may not. */
  readonly root: string;
  /** Whether what is written must survive a power cut: default true. Where not, nothing is synced. */
  readonly isDurable?: boolean;
}

/** @param meanwhile called when the chunks are read, while the disk writes them */
export function* writeOnce(
  target: WriteTarget,
  chunks: readonly Uint8Array[],
  meanwhile?: () => void,
): FileSteps<"created" | "exists"> {
  const folder = path.dirname(target.file);
  yield* ensureFolder(folder, target);
  if (yield* isThere(target.file)) {
    // The writer that came first may not have reached its own fsync of the folder yet.
    yield* syncFolder(folder, target);
    return "exists";
  }
  const created = yield* fromAside(target, chunks, (aside) => linkOnce(aside, target.file), meanwhile);
  yield* syncFolder(folder, target);
  return created ? "created" : "exists";
}

/** Puts a value under its name in place of the file that has it, if one does. */
export function* writeOver(target: WriteTarget, chunks: readonly Uint8Array[]): FileSteps<void> {
  const folder = path.dirname(target.file);
  yield* ensureFolder(folder, target);
  yield* isPlainFile(target.file);
  yield* fromAside(target, chunks, (aside) => call("rename", aside, target.file));
  yield* syncFolder(folder, target);
}

/** Writes a value aside, durably, and lets `place` give it its name. */
function* fromAside<T>(
  target: WriteTarget,
  chunks: readonly Uint8Array[],
  place: (aside: string) => FileSteps<T>,
  meanwhile?: () => void,
): FileSteps<T> {
  const aside = yield* openAside(target);
  try {
    try {
      yield* writeAll(aside.fd, chunks);
      if (meanwhile !== undefined && target.isDurable !== false) {
        yield* call("writeBack", aside.file);
        meanwhile();
      }
      if (target.isDurable !== false) yield* call("fsync", aside.fd);
    } finally {
      yield* call("close", aside.fd);
    }
    return yield* place(aside.file);
  } finally {
    yield* removeAside(aside.file);
  }
}

/** A value that is being written: a new file under a random name, open. */
export interface Aside {
  readonly file: string;
  readonly fd: number;
}

/**
 * The first part of `writeOnce`, for a value that comes piece by piece: then `writeAll` for each piece, then `finishAside`, or
 * `dropAside` where there will be no value. Undefined when the name is taken.
 */
export function* beginAside(target: WriteTarget): FileSteps<Aside | undefined> {
  const folder = path.dirname(target.file);
  yield* ensureFolder(folder, target);
  if (yield* isThere(target.file)) {
    yield* syncFolder(folder, target); // As in writeOnce.
    return undefined;
  }
  return yield* openAside(target);
}

export function* finishAside(target: WriteTarget, aside: Aside): FileSteps<"created" | "exists"> {
  let created: boolean;
  try {
    try {
      if (target.isDurable !== false) yield* call("fsync", aside.fd);
    } finally {
      yield* call("close", aside.fd);
    }
    created = yield* linkOnce(aside.file, target.file);
  } finally {
    yield* removeAside(aside.file);
  }
  yield* syncFolder(path.dirname(target.file), target);
  return created ? "created" : "exists";
}

export function* dropAside(aside: Aside): FileSteps<void> {
  yield* call("close", aside.fd);
  yield* removeAside(aside.file);
}

function* openAside(target: WriteTarget): FileSteps<Aside> {
  // The folder above it is the store's own and may be reached through a link; this one may not be a link itself.
  yield* ensureFolder(target.temporaryFolder, { ...target, root: path.dirname(target.temporaryFolder) });
  const file = path.join(target.temporaryFolder, asideName("TMP"));
  const fd = yield* call("open", file, WRITE_ASIDE, 0o600);
  try {
    yield* call("fchmod", fd, 0o600); // open() takes the umask away from the mode, which may leave too little.
  } catch (error) {
    yield* dropAside({ file, fd });
    throw error;
  }
  return { file, fd };
}

/** Makes a folder and those above it, up to the root, private and durable; refuses links below the root. */
function* ensureFolder(folder: string, target: WriteTarget): FileSteps<void> {
  if (target.knownFolders.has(folder)) return;
  const isRoot = folder === target.root;
  const parent = path.dirname(folder);
  if (!isRoot) yield* ensureFolder(parent, target);
  try {
    yield* call("mkdir", folder, 0o700);
    yield* call("chmod", folder, 0o700);
  } catch (error) {
    if (errnoOf(error) === "ENOENT" && isRoot && parent !== folder) {
      yield* ensureFolder(parent, { ...target, root: parent });
      yield* ensureFolder(folder, target);
      return;
    }
    if (errnoOf(error) !== "EEXIST") throw error;
    if (!isRoot && !(yield* call("lstat", folder)).isDirectory()) throw foreignFile(folder);
  }
  // Also when another process made it: it may not have reached its own fsync yet.
  yield* syncFolder(parent, target);
  target.knownFolders.add(folder);
}

/**
 * Whether the value is there already; if so, it counts as written now. What nobody names is swept when it is old, so a
 * writer that leaves a file as it is must make it young, and one that was swept at this instant must be written.
 */
function* isThere(file: string): FileSteps<boolean> {
  if (!(yield* isPlainFile(file))) return false;
  const seconds = Date.now() / 1_000;
  try {
    yield* call("lutimes", file, seconds, seconds);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    // Another user's file, or a read-only place: it stays old, and the commit looks again whether it is there.
  }
  return true;
}

function* isPlainFile(file: string): FileSteps<boolean> {
  try {
    if ((yield* call("lstat", file)).isFile()) return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
  throw foreignFile(file);
}

/** Writes every chunk, many in one call, without joining them; a short write goes on where it stopped. */
export function* writeAll(fd: number, chunks: readonly Uint8Array[]): FileSteps<void> {
  let index = 0;
  let offset = 0;
  while (index < chunks.length) {
    const batch: Uint8Array[] = [];
    let bytes = 0;
    for (let at = index; at < chunks.length && batch.length < MAX_WRITE_CHUNKS && bytes < MAX_WRITE_BYTES; at++) {
      const chunk = chunks[at]!;
      const from = at === index ? offset : 0;
      const part = chunk.subarray(from, from + Math.min(chunk.length - from, MAX_WRITE_BYTES - bytes));
      batch.push(part);
      bytes += part.length;
    }
    let written = bytes === 0 ? 0 : yield* call("writev", fd, batch);
    if (bytes > 0 && written === 0)
      throw Object.assign(new Error("ENOSPC: no byte could be written"), { code: "ENOSPC" });
    while (index < chunks.length && written >= chunks[index]!.length - offset) {
      written -= chunks[index]!.length - offset;
      index++;
      offset = 0;
    }
    offset += written;
  }
}

/** Gives the file its name if the name is free. Answers whether it was. */
function* linkOnce(aside: string, file: string): FileSteps<boolean> {
  try {
    yield* call("link", aside, file);
    return true;
  } catch (error) {
    const errno = errnoOf(error) ?? "";
    if (errno === "EEXIST") {
      // Written by another one at this instant: it is young.
      yield* isPlainFile(file);
      return false;
    }
    if (!NO_LINKS.has(errno)) throw error;
  }
  // No hard links here (exFAT, some network and FUSE folders): look, then rename. Two writers at one instant may both
  // rename; either way one whole value stays, and with content addressing both are the same bytes.
  if (yield* isPlainFile(file)) return false;
  yield* call("rename", aside, file);
  return true;
}

function* removeAside(aside: string): FileSteps<void> {
  try {
    yield* call("unlink", aside);
  } catch {
    // Renamed away, or the disk is failing: the error that matters is on its way already, and list ignores such files.
  }
}

/** Makes the names in a folder durable. Windows cannot open folders, and orders its own metadata. */
function* syncFolder(folder: string, { isDurable }: WriteTarget): FileSteps<void> {
  if (process.platform === "win32" || isDurable === false) return;
  const fd = yield* call("open", folder, constants.O_RDONLY, 0);
  try {
    yield* call("fsync", fd);
  } finally {
    yield* call("close", fd);
  }
}
