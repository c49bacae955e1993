/** The folder of the store: where it is, whose it is, what it lies on, and what lies in it. */
import fs from "node:fs";
import path from "node:path";
import { checkStoreOwner, type StoreChoice } from "../../config/find-store.ts";
import { isProcessAlive } from "../../config/process-identity.ts";
import { foldersUpwards } from "../../package/package-root.ts";
import { type StoreLayout, storeLayout } from "../../storage/fs/store-folder.ts";
import { asideWriter } from "../../util/aside-name.ts";
import { measureFolder } from "./measure-folder.ts";
import { type Check, countText, type Found, sizeText } from "./report.ts";

/** Room from which on a run may well not end: a large artifact, and the log of the records. */
const LITTLE_BYTES = 1e9;
/** Room in which not even records can be kept. */
const NO_BYTES = 16e6;
const LITTLE_INODES = 10_000;
const NO_INODES = 100;
/** The log is cut to 64 MiB whenever its contents have gone into the records (`connection.ts`). */
const LARGE_LOG_BYTES = 256 * 1024 ** 2;
/** What is written aside is there for seconds; a value of many GB may take minutes. */
const STALE_MS = 60 * 60 * 1_000;

export function storeChecks(
  choice: StoreChoice,
  input: { readonly cwd: string; readonly now?: () => number },
): readonly Check[] {
  const layout = storeLayout(choice.folder);
  const isThere = isFolder(layout.folder);
  const place: Check = { area: "store", check: "place", run: () => [placeFinding(choice, layout, input.cwd)] };
  const disk: Check = { area: "store", check: "disk", run: async () => await diskFindings(layout.folder) };
  if (!isThere) return [place, disk];
  return [
    place,
    { area: "store", check: "permissions", run: () => [permissionsFinding(layout), ...writingFindings(layout)] },
    disk,
    { area: "store", check: "files", run: () => filesFindings(layout, (input.now ?? Date.now)()) },
  ];
}

/** What is no folder, or may not be looked at, is told by `place`. */
export function isFolder(place: string): boolean {
  try {
    return fs.statSync(place, { throwIfNoEntry: false })?.isDirectory() ?? false;
  } catch {
    return false;
  }
}

const FROM: Readonly<Record<StoreChoice["from"], string>> = {
  option: "named by --store",
  environment: "named by MILLRACE_STORE",
  file: "named by millrace.json",
  found: "found from the working directory upwards",
  workspace: "the place for a new one",
};

function placeFinding(choice: StoreChoice, { folder, database }: StoreLayout, cwd: string): Found {
  const check = "place";
  const { from, bucket } = choice;
  const searched = from === "workspace" ? [...foldersUpwards(path.resolve(cwd))] : [folder];
  const facts = { folder, from, searched, ...(bucket === undefined ? {} : { bucket: bucket.text }) };
  const place = bucket === undefined ? folder : `${bucket.text} with its records in ${folder}`;
  const state = fs.statSync(folder, { throwIfNoEntry: false });
  if (state === undefined) {
    const isNamed = from === "option" || from === "environment" || from === "file";
    const found = isNamed
      ? `there is no store in ${place}, ${FROM[from]}`
      : `there is none from ${cwd} upwards; the first run makes one in ${folder}`;
    return isNamed
      ? { check, status: "warn", found, next: "Run a flow, which makes it, or name another folder", facts }
      : { check, status: "ok", found, facts };
  }
  if (!state.isDirectory()) {
    const next = "Name a folder with --store or MILLRACE_STORE";
    return { check, status: "fail", found: `${folder}, ${FROM[from]}, is no folder`, next, facts };
  }
  checkStoreOwner(choice, { cwd, user: process.geteuid?.() });
  if (fs.lstatSync(database, { throwIfNoEntry: false }) === undefined) {
    const next = "Run a flow, which makes them; if there were runs, restore millrace.db from a copy";
    return { check, status: "warn", found: `${place}, ${FROM[from]}, holds no records yet`, next, facts };
  }
  return { check, status: "ok", found: `${place}, ${FROM[from]}`, facts };
}

/** Private, and this user's: what others may change cannot be trusted, what they may read is no secret. */
function permissionsFinding(layout: StoreLayout): Found {
  const check = "permissions";
  const user = process.geteuid?.();
  const isSystem = user === undefined; // Windows: rights are not in these numbers.
  const files = [layout.database, `${layout.database}-wal`, `${layout.database}-shm`];
  const states = [layout.folder, layout.blobs, layout.temporary, ...files].flatMap((place) => {
    const state = place === layout.folder ? fs.statSync(place) : fs.lstatSync(place, { throwIfNoEntry: false });
    return state === undefined ? [] : [{ place, state }];
  });
  const links = states.filter(({ state }) => state.isSymbolicLink()).map(({ place }) => place);
  if (links.length > 0) {
    const next = "Remove the link, or put what it leads to in its place";
    return {
      check,
      status: "fail",
      found: `${links.join(", ")} is a link, and links are not followed`,
      next,
      facts: { links },
    };
  }
  const wide = (bits: number) =>
    states.filter(({ state }) => !isSystem && (state.mode & bits) !== 0).map(({ place }) => place);
  const [written, read] = [wide(0o022), wide(0o055)];
  const strangers = isSystem ? [] : states.filter(({ state }) => state.uid !== user).map(({ place }) => place);
  const facts = {
    user,
    owner: states[0]?.state.uid,
    writtenByOthers: written,
    readByOthers: read,
    ofOthers: strangers,
  };
  const closed = `Close it: chmod -R go= ${layout.folder}`;
  // What stands in a folder that nobody else may enter is closed, whatever its own mode says.
  if (!isSystem && (states[0]!.state.mode & 0o077) === 0 && strangers.length === 0)
    return { check, status: "ok", found: "the store is private", facts };
  if (written.length > 0)
    return { check, status: "fail", found: `others may write to ${written.join(", ")}`, next: closed, facts };
  if (read.length > 0)
    return { check, status: "warn", found: `others may read ${read.join(", ")}`, next: closed, facts };
  if (strangers.length > 0) {
    const next =
      user === 0
        ? "Run flows as the owner of the store"
        : `Take it over: chown -R ${user} ${layout.folder}, or use a store of your own`;
    return { check, status: "warn", found: `${strangers.join(", ")} belongs to another user`, next, facts };
  }
  return { check, status: "ok", found: "the store is private", facts };
}

/** Whoever may only read can look at runs; that none can be made is said before somebody tries. */
function writingFindings({ folder, database, blobs, temporary }: StoreLayout): readonly Found[] {
  const shut = [folder, database, blobs, temporary].filter((place) => fs.existsSync(place) && !mayWrite(place));
  if (shut.length === 0) return [];
  return [
    {
      check: "permissions",
      status: "warn",
      found: `this user may not write to ${shut.join(", ")}: runs can be looked at, and none can be made`,
      next: `Give this user write access (chmod -R u+w ${folder}), or choose another store with --store`,
      facts: { notWritable: shut },
    },
  ];
}

function mayWrite(place: string): boolean {
  try {
    fs.accessSync(place, fs.constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

async function diskFindings(folder: string): Promise<readonly Found[]> {
  // Before there is a store, the nearest folder that is there says what it would lie on.
  const place = [...foldersUpwards(folder)].find((each) => fs.existsSync(each)) ?? folder;
  const disk = fs.statfsSync(place);
  const bytes = disk.bavail * disk.bsize;
  // File systems without inodes (btrfs, vfat) answer 0 of 0.
  const inodes = disk.files === 0 ? undefined : disk.ffree;
  const facts = { folder: place, type: disk.type, bytes, inodes };
  const left = `${sizeText(bytes)} left${inodes === undefined ? "" : `, room for ${inodes} files`}`;
  const { refuseNetworkFolder } = await import("../../metadata/sqlite/connection.ts");
  refuseNetworkFolder(place);
  const status =
    bytes < NO_BYTES || (inodes ?? Number.POSITIVE_INFINITY) < NO_INODES
      ? "fail"
      : bytes < LITTLE_BYTES || (inodes ?? Number.POSITIVE_INFINITY) < LITTLE_INODES
        ? "warn"
        : "ok";
  const next = { next: `Free room on the disk that holds ${place}, or choose another with --store` };
  return [{ check: "disk", status, found: left, ...(status === "ok" ? {} : next), facts }];
}

function filesFindings(layout: StoreLayout, nowMs: number): readonly Found[] {
  const check = "files";
  const sizeOf = (file: string): number => fs.lstatSync(file, { throwIfNoEntry: false })?.size ?? 0;
  const [recordBytes, logBytes] = [sizeOf(layout.database), sizeOf(`${layout.database}-wal`)];
  const blobs = measureFolder(layout.blobs);
  const copies = fs.readdirSync(layout.folder).filter((name) => name.startsWith("millrace.db.before-"));
  const spool = path.join(layout.folder, "spool");
  const waiting = isFolder(spool) ? measureFolder(spool) : undefined;
  const facts = {
    recordBytes,
    logBytes,
    blobBytes: blobs.bytes,
    blobFiles: blobs.files,
    isWhole: blobs.isWhole,
    copies,
    ...(waiting === undefined ? {} : { spoolBytes: waiting.bytes, spoolFiles: waiting.files }),
  };
  const atLeast = blobs.isWhole ? "" : "at least ";
  const found = `${sizeText(recordBytes)} of records, ${atLeast}${sizeText(blobs.bytes)} in ${countText(blobs.files, "value file")}${copies.length === 0 ? "" : `, ${countText(copies.length, "copy", "copies")} from before an upgrade`}${waiting === undefined || waiting.files === 0 ? "" : `; ${countText(waiting.files, "value")} with ${sizeText(waiting.bytes)} on the way into the bucket, or left there by runs that failed`}`;
  const findings: Found[] = [{ check, status: "ok", found, facts }];
  for (const place of [layout.blobs, layout.temporary]) {
    const state = fs.lstatSync(place, { throwIfNoEntry: false });
    if (state === undefined || state.isDirectory()) continue; // What is missing is made by the next run; see also `records`.
    const next = "Remove it: the next run makes a folder; values that were there come back from a copy of the store";
    findings.push({ check, status: "fail", found: `${place} is no folder`, next });
  }
  if (blobs.foreign !== undefined) {
    const next = "Remove it, or restore the store from a copy";
    findings.push({ check, status: "fail", found: `${blobs.foreign} is neither a plain file nor a folder`, next });
  }
  if (logBytes > LARGE_LOG_BYTES) {
    const next = "End what reads the store for long; the log is taken in when the next run ends";
    findings.push({ check, status: "warn", found: `the log of the records has ${sizeText(logBytes)}`, next });
  }
  const stale = staleFiles(layout, nowMs);
  if (stale.files > 0) {
    findings.push({
      check,
      status: "warn",
      found: `${countText(stale.files, "file")} with ${sizeText(stale.bytes)} in ${layout.temporary} were being written when their program died`,
      next: `Remove what is older than an hour: find ${layout.temporary} -type f -mmin +60 -delete`,
      facts: { ...stale },
    });
  }
  return findings;
}

/** Nobody reads what is written aside, so it only takes room. */
function staleFiles({ temporary }: StoreLayout, nowMs: number): { readonly files: number; readonly bytes: number } {
  let [files, bytes] = [0, 0];
  if (fs.lstatSync(temporary, { throwIfNoEntry: false })?.isDirectory() !== true) return { files, bytes };
  for (const name of fs.readdirSync(temporary)) {
    const state = fs.lstatSync(path.join(temporary, name), { throwIfNoEntry: false });
    if (state === undefined || !state.isFile() || nowMs - state.mtimeMs < STALE_MS) continue;
    const writer = asideWriter(name);
    // A process of this number may be another one by now: then the file is told of later.
    if (writer !== undefined && isProcessAlive(writer, undefined) === true) continue;
    files++;
    bytes += state.size;
  }
  return { files, bytes };
}
