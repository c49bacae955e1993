/** `flow store rebuild`: the records of a bucket's store, on a machine that has none, or none that are good. */
import fs from "node:fs";
import path from "node:path";
import type { BucketUrl } from "../config/bucket-url.ts";
import { type Environment, resolveTrustedConfig } from "../config/config.ts";
import type { StoreChoice } from "../config/find-store.ts";
import { isProcessAlive, readProcessIdentity } from "../config/process-identity.ts";
import { FlowError, isFlowError } from "../errors/flow-error.ts";
import { syncFolder } from "../metadata/sqlite/connection.ts";
import { snapshotRecords } from "../metadata/sqlite/copy-records.ts";
import { takeGcLock } from "../metadata/sqlite/deletion/gc-lock.ts";
import { openSqliteDeletion } from "../metadata/sqlite/deletion/open-deletion.ts";
import { keepPages } from "../metadata/sqlite/keep-copy.ts";
import { metadataError } from "../metadata/sqlite/sqlite-error.ts";
import { openSqliteMetadata } from "../metadata/sqlite/sqlite-metadata.ts";
import { readIdentity } from "../publish/identity.ts";
import { storeLayout } from "../storage/fs/store-folder.ts";
import { asideName } from "../util/aside-name.ts";
import { openBucket } from "./open-bucket.ts";
import { hasRecords, placeOf } from "./open-stores.ts";
import { makeStoreFolder } from "./prepare-folder.ts";
import { type RebuildOptions, type RebuildReport, rebuildRecords } from "./rebuild-records.ts";
import { locateStore } from "./store-location.ts";

export interface RebuildStoreRequest {
  /** The `--store` option. */
  readonly store?: string;
  readonly cwd: string;
  readonly environment: Environment;
  /** Whether records that are there are put aside. Default: they are left, and the call is refused. */
  readonly isForced?: boolean;
  /** Whether runs that are not whole in the bucket are left out. Default: the call is refused then. */
  readonly skipDamaged?: boolean;
  readonly onProgress?: (progress: { readonly runs: number; readonly totalRuns: number }) => void;
  readonly signal?: AbortSignal;
}

export interface RebuiltStoreReport extends RebuildReport {
  readonly place: string;
  readonly folder: string;
  /** Where the records are that were there before. */
  readonly keptAs?: string;
  /** What they had, and what is in the bucket has not. */
  readonly lost: readonly string[];
}

/**
 * Builds the records of a store anew from its bucket. Records of another store that have no runs make way for them.
 *
 * @throws FlowError FLOW_PUBLISH_NO_BUCKET, FLOW_METADATA_CONFLICT when there are records and it is not forced,
 *   FLOW_GC_RUNS_UNDER_WAY, FLOW_PUBLISH_OTHER_STORE when they are of another store and have runs, FLOW_GC_RUNNING, and what `rebuildRecords` throws
 */
export async function rebuildStore(request: RebuildStoreRequest): Promise<RebuiltStoreReport> {
  const config = resolveTrustedConfig(request);
  const { store, actor, host } = config;
  if (store.bucket === undefined)
    throw new FlowError("FLOW_PUBLISH_NO_BUCKET", {
      message: `Cannot build records of the store "${store.folder}": its values lie in a folder, not in a bucket`,
      hint: "Name the URL of the bucket: flow store rebuild --store s3://BUCKET/PREFIX",
      context: { folder: store.folder },
    });
  const location = locateStore(store);
  const { databaseFile } = location;
  const before = await recordsBefore(store, store.bucket);
  if (before === "own" && request.isForced !== true)
    throw new FlowError("FLOW_METADATA_CONFLICT", {
      message: `Cannot build the records of "${placeOf(store)}": there are records in "${store.folder}"`,
      hint: "Use them as they are; or type flow store rebuild --force, which keeps them beside the new ones",
      context: { path: databaseFile },
    });
  makeStoreFolder(store.folder, location);
  const lock = takeGcLock(storeLayout(store.folder).lock, "build the records anew");
  const built = path.join(location.temporaryFolder, asideName("TMP"));
  try {
    const { onProgress, signal, skipDamaged = false } = request;
    const report = await rebuildInto(store.bucket, built, {
      actor,
      host,
      at: new Date(),
      skipDamaged,
      ...(onProgress === undefined ? {} : { onProgress }),
      ...(signal === undefined ? {} : { signal }),
    });
    const kept = await putInPlace(built, store, before);
    return { ...report, place: placeOf(store), folder: store.folder, ...kept };
  } finally {
    fs.rmSync(built, { force: true });
    lock.release();
  }
}

/** Builds the records of a bucket in a new file. */
export async function rebuildInto(url: BucketUrl, file: string, options: RebuildOptions): Promise<RebuildReport> {
  const bucket = await openBucket(url);
  try {
    return await rebuildRecords(bucket, file, options);
  } finally {
    await bucket.close();
  }
}

/** What lies where the records are to be: nothing, the records of this store, or those of another one that has no runs. */
type Before = "none" | "own" | "foreign";

async function recordsBefore(store: StoreChoice, url: BucketUrl): Promise<Before> {
  const location = locateStore(store);
  if (!hasRecords(location)) return "none";
  const here = await readRecords(store);
  if (here?.isUnderWay === true) throw runsUnderWay(store);
  const bucket = await openBucket(url);
  try {
    const there = await readIdentity(bucket);
    if (here === undefined || there === undefined || there.store === here.storeId) return "own";
    if (here.runs === 0) return "foreign";
    throw new FlowError("FLOW_PUBLISH_OTHER_STORE", {
      message: `Cannot build the records of "${placeOf(store)}": those in "${store.folder}" are of another store, with the id ${here.storeId}, and have runs`,
      hint: "Take what you need of them with flow export, move the folder away, and type flow store rebuild again",
      context: { folder: store.folder, store: here.storeId, belongsTo: there.store },
    });
  } finally {
    await bucket.close();
  }
}

interface RecordsHere {
  readonly storeId: string;
  readonly runs: number;
  /** Whether a program that is alive writes a run into them. */
  readonly isUnderWay: boolean;
}

/** Undefined for records that cannot be read. */
async function readRecords(store: StoreChoice): Promise<RecordsHere | undefined> {
  const { databaseFile } = locateStore(store);
  const open: { close(): Promise<void> }[] = [];
  try {
    const records = await openSqliteMetadata(databaseFile);
    open.push(records);
    const liveness = { self: readProcessIdentity(), now: Date.now, isAlive: isProcessAlive };
    const deletion = openSqliteDeletion(databaseFile, { lockFile: storeLayout(store.folder).lock, liveness });
    open.push(deletion);
    const isUnderWay = (await deletion.running()).since !== undefined;
    return { storeId: (await records.info()).storeId, runs: await records.countRuns({}), isUnderWay };
  } catch (thrown) {
    const error = metadataError("Cannot read the records", databaseFile, thrown);
    if (isFlowError(error, "FLOW_METADATA_CORRUPT") || isFlowError(error, "FLOW_METADATA_NOT_A_STORE"))
      return undefined;
    throw error;
  } finally {
    for (const opened of open.reverse()) await opened.close();
  }
}

function runsUnderWay(store: StoreChoice): FlowError {
  return new FlowError("FLOW_GC_RUNS_UNDER_WAY", {
    message: `Cannot build the records of "${placeOf(store)}" anew: runs are under way, which the bucket does not have yet`,
    hint: "Wait until they have ended",
    context: { folder: store.folder },
  });
}

async function putInPlace(
  built: string,
  store: StoreChoice,
  before: Before,
): Promise<Pick<RebuiltStoreReport, "keptAs" | "lost">> {
  const { databaseFile } = locateStore(store);
  if (before === "none") {
    fs.rmSync(databaseFile, { force: true }); // An empty one.
    fs.renameSync(built, databaseFile);
    syncFolder(path.dirname(databaseFile));
    return { lost: [] };
  }
  const snapshot = await snapshotRecords(built, `${built}0`);
  try {
    const lost = before === "own" ? snapshot.missingFrom(databaseFile) : [];
    const keptAs = await keepPages(databaseFile, "before-rebuild");
    // One that began while the bucket was read.
    if ((await readRecords(store))?.isUnderWay === true) throw runsUnderWay(store);
    await snapshot.place(databaseFile);
    return { keptAs, lost };
  } finally {
    await snapshot.close();
  }
}
