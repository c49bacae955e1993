/** `flow store init`: a store at a place, checked before anybody's run depends on it. */
import fs from "node:fs";
import path from "node:path";
import { noteBucket } from "../config/bucket-folder.ts";
import { type Environment, resolveTrustedConfig } from "../config/config.ts";
import { saveStore } from "../config/config-file.ts";
import { findWorkspaceRoot, type StoreChoice } from "../config/find-store.ts";
import { isFlowError } from "../errors/flow-error.ts";
import { openSqliteMetadata } from "../metadata/sqlite/sqlite-metadata.ts";
import { attachStore } from "../publish/publish-store.ts";
import type { StoreProbe } from "../storage/probe.ts";
import { openBucket, probeBucket } from "./open-bucket.ts";
import { placeOf } from "./open-stores.ts";
import { prepareStoreFolder } from "./prepare-folder.ts";
import { locateStore } from "./store-location.ts";
import { refuseTakenBucket } from "./taken-bucket.ts";

export interface InitStoreRequest {
  /** The store that is meant, as `--store` takes it. Default: what the settings say. */
  readonly store?: string;
  /** What messages call it. */
  readonly setting?: string;
  readonly cwd: string;
  readonly environment: Environment;
  /** Whether `millrace.json` of the workspace is to name it. */
  readonly isSaved?: boolean;
}

export interface InitReport {
  readonly place: string;
  readonly folder: string;
  readonly storeId: string;
  /** Whether there was none before. */
  readonly isNew: boolean;
  /** What the bucket's service makes of conditional writes. */
  readonly probe?: StoreProbe;
  /** The settings' file that names it now. */
  readonly savedIn?: string;
}

/**
 * Makes a store if there is none, and finds out whether it can be used: for a bucket, whether it is there and may be read and
 * written, and what it makes of conditional writes.
 *
 * @throws FlowError FLOW_PUBLISH_OTHER_STORE when a bucket has a store that is not the one of the records here,
 *   FLOW_PUBLISH_NESTED, FLOW_CLIENT_NOT_A_STORE, FLOW_CONFIG_BAD_STORE, FLOW_CONFIG_BAD_FILE, and of the storage and metadata rooms
 */
export async function initStore(request: InitStoreRequest): Promise<InitReport> {
  const { store } = resolveTrustedConfig(request);
  const made = store.bucket === undefined ? await initRecords(store) : await initBucket(store, store.bucket);
  const saved = request.isSaved === true ? { savedIn: save(store, request) } : {};
  return { place: placeOf(store), folder: store.folder, ...made, ...saved };
}

type Made = Pick<InitReport, "storeId" | "isNew" | "probe">;

async function initBucket(store: StoreChoice, url: NonNullable<StoreChoice["bucket"]>): Promise<Made> {
  // Before anything is made here: a bucket that cannot be used leaves nothing behind.
  const probe = await probeBucket(url);
  const bucket = await openBucket(url, { probe });
  try {
    const isTaken = await refuseTakenBucket(store, bucket);
    const made = await initRecords(store, async (metadata) => await attachStore(metadata, bucket));
    noteBucket(store.folder, url, { createOnce: probe.createOnce, compareAndSet: probe.compareAndSet });
    return { ...made, isNew: !isTaken, probe };
  } finally {
    await bucket.close();
  }
}

type Records = Awaited<ReturnType<typeof openSqliteMetadata>>;

async function initRecords(store: StoreChoice, attach?: (metadata: Records) => Promise<void>): Promise<Made> {
  const location = locateStore(store);
  const isNew = prepareStoreFolder(store.folder, location);
  try {
    return { storeId: await attachRecords(location.databaseFile, attach), isNew };
  } catch (error) {
    // Another machine was the first: records that belong to no bucket would stand in the way of those of its store.
    if (isNew && isFlowError(error, "FLOW_PUBLISH_OTHER_STORE")) removeRecords(location.databaseFile);
    throw error;
  }
}

async function attachRecords(databaseFile: string, attach?: (metadata: Records) => Promise<void>): Promise<string> {
  const metadata = await openSqliteMetadata(databaseFile);
  try {
    await attach?.(metadata);
    return (await metadata.info()).storeId;
  } finally {
    await metadata.close();
  }
}

function removeRecords(databaseFile: string): void {
  for (const ending of ["", "-wal", "-shm"]) fs.rmSync(`${databaseFile}${ending}`, { force: true });
}

/** A folder inside of the workspace is named from there, so that the file means the same on another machine. */
function save(store: StoreChoice, { cwd }: InitStoreRequest): string {
  const root = findWorkspaceRoot(cwd);
  const relative = path.relative(root, store.folder);
  const isInside = relative !== "" && !relative.startsWith("..") && !path.isAbsolute(relative);
  return saveStore(root, store.bucket?.text ?? (isInside ? relative.split(path.sep).join("/") : store.folder));
}
