/** `flow store copy`: a store with all of its records and values at another place, folder or bucket. */
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type CopiedBytes, type CopiedValues, copyValues, type DamagedValue } from "../admin/copy/copy-values.ts";
import { type Environment, resolveTrustedConfig } from "../config/config.ts";
import type { StoreChoice } from "../config/find-store.ts";
import { FlowError } from "../errors/flow-error.ts";
import type { MetadataStore } from "../metadata/metadata-store.ts";
import type { RecordSnapshot } from "../metadata/record-copy.ts";
import { otherStore, snapshotRecords } from "../metadata/sqlite/copy-records.ts";
import { takeGcLock } from "../metadata/sqlite/deletion/gc-lock.ts";
import { openSqliteMetadata } from "../metadata/sqlite/sqlite-metadata.ts";
import { claimBucket, readIdentity } from "../publish/identity.ts";
import { publishStore } from "../publish/publish-store.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import { openFsBlobStore } from "../storage/fs/fs-blob-store.ts";
import { storeLayout } from "../storage/fs/store-folder.ts";
import { asideName } from "../util/aside-name.ts";
import { checkCopyTarget, finishCopy, prepareCopyTarget } from "./copy-target.ts";
import { refuseNestedStore } from "./nested-store.ts";
import { openBucket, probeBucket } from "./open-bucket.ts";
import { isThere, noStore, placeOf } from "./open-stores.ts";
import { rebuildInto } from "./rebuild-store.ts";
import { locateStore } from "./store-location.ts";

export interface CopyStoreRequest {
  /** What `--store` would take. */
  readonly from: string;
  readonly to: string;
  readonly cwd: string;
  readonly environment: Environment;
  /** Whether to say what would be copied, and write nothing. */
  readonly isDryRun?: boolean;
  readonly onProgress?: (progress: CopyProgress) => void;
  readonly signal?: AbortSignal;
}

export type CopyProgress =
  | ({ readonly kind: "values" } & CopiedBytes)
  /** Into a bucket: the records of runs, behind their values. */
  | { readonly kind: "runs"; readonly done: number; readonly total: number };

export interface CopyReport {
  readonly from: string;
  readonly to: string;
  readonly storeId: string;
  readonly isDryRun: boolean;
  readonly runs: number;
  /** Runs that had not ended: the copy has them as they stood. */
  readonly underWay: number;
  /** Values of all runs, also those inside of the records. */
  readonly values: number;
  readonly copied: CopiedValues["copied"];
  readonly skipped: CopiedValues["skipped"];
  readonly damaged: readonly (DamagedValue & { readonly uses: readonly string[] })[];
}

/** Damaged values whose owners are looked for; the rest is named by digest. */
const MAX_OWNED = 100;

type Open = { close(): unknown }[];

interface End {
  readonly choice: StoreChoice;
  readonly place: string;
  readonly databaseFile: string;
  readonly blobs: BlobStore;
}

/**
 * Copies a store: values first, then the records that name them, so that the target never names what it has not. Values
 * that the target has are left there. Runs may go on in the source meanwhile: the copy has what was committed when it began.
 *
 * @throws FlowError FLOW_COPY_SAME_PLACE, FLOW_COPY_OTHER_STORE, FLOW_COPY_DIVERGED, FLOW_CLIENT_NO_STORE,
 *   FLOW_CLIENT_NOT_A_STORE, FLOW_GC_RUNNING, and of the storage and metadata rooms; `signal.reason` when it is stopped.
 *   What was copied stays for the next call
 */
export async function copyStore(request: CopyStoreRequest): Promise<CopyReport> {
  const [from, to] = [choose(request, "FROM"), choose(request, "TO")];
  refuseSamePlace(from, to);
  const open: { close(): unknown }[] = [];
  try {
    const source = await openSource(from, request, open);
    const snapshot = await snapshotRecords(source.databaseFile, partOf(to, request));
    open.push(snapshot);
    return await copy(request, { source, to, snapshot, open });
  } finally {
    for (const each of open.toReversed()) await each.close();
  }
}

interface Copying {
  readonly source: End;
  readonly to: StoreChoice;
  readonly snapshot: RecordSnapshot;
  readonly open: Open;
}

async function copy(request: CopyStoreRequest, { source, to, snapshot, open }: Copying): Promise<CopyReport> {
  const { isDryRun = false, signal, onProgress } = request;
  const databaseFile = locateStore(to).databaseFile;
  await refuseOther(snapshot, to, isDryRun);
  const blobs = await openTarget(to, isDryRun, open);
  if (to.bucket !== undefined) await refuseOtherBucket(snapshot, to, blobs);
  if (!isDryRun) {
    prepareCopyTarget(to, snapshot.storeId);
    open.push(lock(to.folder, "copy a store to here"));
    // Nothing of a store is in a bucket before the bucket says whose it is.
    if (to.bucket !== undefined) await withRecords(snapshot, (metadata) => claimBucketFor(metadata, blobs));
  }
  const values = await copyValues({ from: source.blobs, to: blobs }, snapshot.outside(), {
    isDryRun,
    ...(signal === undefined ? {} : { signal }),
    onProgress: (progress) => onProgress?.({ kind: "values", ...progress }),
  });
  signal?.throwIfAborted();
  const damaged = await Promise.all(
    values.damaged.map(async (each, at) => ({
      ...each,
      uses: at < MAX_OWNED ? await snapshot.usesOf(each.digest) : [],
    })),
  );
  if (!isDryRun) {
    if (to.bucket !== undefined) await withRecords(snapshot, (metadata) => publish(metadata, blobs, request));
    await snapshot.place(databaseFile);
    finishCopy(to);
  }
  const { storeId, totals, underWay } = snapshot;
  const ends = { from: source.place, to: placeOf(to) };
  return { ...ends, storeId, isDryRun, runs: totals.runs, underWay, values: totals.values, ...values, damaged };
}

function choose({ from, to, cwd, environment }: CopyStoreRequest, setting: "FROM" | "TO"): StoreChoice {
  const { store } = resolveTrustedConfig({ store: setting === "FROM" ? from : to, setting, cwd, environment });
  return store;
}

/** Both names, also through links; two URLs of one bucket have one folder. */
function refuseSamePlace(from: StoreChoice, to: StoreChoice): void {
  if (realPath(from.folder) !== realPath(to.folder)) return;
  throw new FlowError("FLOW_COPY_SAME_PLACE", {
    message: `Cannot copy the store "${placeOf(from)}" onto itself`,
    hint: "Name another place for the copy",
    context: { from: placeOf(from), to: placeOf(to) },
  });
}

function realPath(folder: string): string {
  try {
    return fs.realpathSync.native(folder);
  } catch {
    return path.resolve(folder);
  }
}

async function openSource(choice: StoreChoice, request: CopyStoreRequest, open: Open): Promise<End> {
  const { databaseFile } = locateStore(choice);
  const blobs = await openBlobs(choice, open);
  const end = { choice, place: placeOf(choice), blobs };
  if (isThere(databaseFile)) {
    // A collection of garbage would take away what is about to be read.
    if (mayWrite(choice.folder)) open.push(lock(choice.folder, "copy this store"));
    return { ...end, databaseFile };
  }
  if (choice.bucket === undefined) throw noStore({ ...choice, from: "found" }, choice.folder);
  const built = path.join(tmpdir(), asideName("TMP"));
  open.push({ close: () => fs.rmSync(built, { force: true }) });
  const { cwd, environment, signal } = request;
  const { actor, host } = resolveTrustedConfig({ cwd, environment, chosen: choice });
  await rebuildInto(choice.bucket, built, { actor, host, at: new Date(), ...(signal === undefined ? {} : { signal }) });
  return { ...end, databaseFile: built };
}

async function openBlobs(choice: StoreChoice, open: Open): Promise<BlobStore> {
  const { blobFolder, temporaryFolder } = locateStore(choice);
  const blobs =
    choice.bucket === undefined ? openFsBlobStore(blobFolder, { temporaryFolder }) : await openBucket(choice.bucket);
  open.push(blobs);
  return blobs;
}

/** As the service really is: one that ignores conditional writes is looked at before each write. */
async function openTarget(to: StoreChoice, isDryRun: boolean, open: Open): Promise<BlobStore> {
  if (to.bucket === undefined || isDryRun) return await openBlobs(to, open);
  const blobs = await openBucket(to.bucket, { probe: await probeBucket(to.bucket) });
  open.push(blobs);
  return blobs;
}

async function refuseOtherBucket({ storeId }: RecordSnapshot, to: StoreChoice, bucket: BlobStore): Promise<void> {
  const there = await readIdentity(bucket);
  if (there === undefined && to.bucket !== undefined) await refuseNestedStore(to.bucket);
  if (there === undefined || there.store === storeId) return;
  throw otherStore(placeOf(to), there.store, storeId);
}

/** The records of a snapshot, as those of a store. */
async function withRecords<T>({ file }: RecordSnapshot, work: (metadata: MetadataStore) => Promise<T>): Promise<T> {
  const metadata = await openSqliteMetadata(file);
  try {
    return await work(metadata);
  } finally {
    await metadata.close();
  }
}

async function claimBucketFor(metadata: MetadataStore, bucket: BlobStore): Promise<void> {
  const { storeId, createdAt } = await metadata.info();
  await claimBucket(bucket, { store: storeId, createdAt });
}

/** Packs, manifests and the log: the values are there already. */
async function publish(metadata: MetadataStore, bucket: BlobStore, request: CopyStoreRequest): Promise<void> {
  const { onProgress, signal } = request;
  await publishStore({ metadata }, bucket, {
    ...(signal === undefined ? {} : { signal }),
    onProgress: ({ runs, totalRuns }) => onProgress?.({ kind: "runs", done: runs, total: totalRuns }),
  });
}

/** The snapshot lies where its file can be given the name of the target's; a dry run leaves nothing there. */
function partOf(to: StoreChoice, { isDryRun = false }: CopyStoreRequest): string {
  if (isDryRun) {
    checkCopyTarget(to);
    return path.join(tmpdir(), asideName("TMP"));
  }
  prepareCopyTarget(to);
  return path.join(storeLayout(to.folder).temporary, asideName("TMP"));
}

/** A target that has what the source has not would lose it. */
async function refuseOther(snapshot: RecordSnapshot, to: StoreChoice, isDryRun: boolean): Promise<void> {
  const { databaseFile } = locateStore(to);
  if (!isThere(databaseFile) || fs.statSync(databaseFile).size === 0) return;
  const missing = isDryRun ? await comparedAside(snapshot, databaseFile) : await compared(snapshot, databaseFile);
  if (missing.length === 0) return;
  const [first] = missing;
  throw new FlowError("FLOW_COPY_DIVERGED", {
    message: `Cannot copy the store to "${placeOf(to)}": it has ${first}${missing.length > 1 ? ", and more," : ""} which the source has not`,
    hint: "Copy the other way first if the source has nothing of its own; or take runs over with flow export and flow import",
    context: { to: placeOf(to), missing },
  });
}

/** Records of an older schema are brought up first. */
async function compared(snapshot: RecordSnapshot, databaseFile: string): Promise<readonly string[]> {
  await (await openSqliteMetadata(databaseFile)).close();
  return snapshot.missingFrom(databaseFile);
}

/** In a copy, which may be brought up: the target stays as it is. */
async function comparedAside(snapshot: RecordSnapshot, databaseFile: string): Promise<readonly string[]> {
  const aside = path.join(tmpdir(), asideName("TMP"));
  const there = await snapshotRecords(databaseFile, aside);
  try {
    return snapshot.missingFrom(aside);
  } finally {
    await there.close();
  }
}

function lock(folder: string, action: string): { close(): void } {
  const held = takeGcLock(storeLayout(folder).lock, action);
  return { close: () => held.release() };
}

function mayWrite(folder: string): boolean {
  try {
    fs.accessSync(folder, fs.constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
