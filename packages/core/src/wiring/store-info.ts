/** `flow store info`: where a store is and why there, what it can and what it has. Nothing is changed. */
import fs from "node:fs";
import { notedWrites } from "../config/bucket-folder.ts";
import type { BucketOptions, BucketUrl } from "../config/bucket-url.ts";
import { type Environment, resolveTrustedConfig } from "../config/config.ts";
import { findFolder, type StoreChoice } from "../config/find-store.ts";
import { isFlowError } from "../errors/flow-error.ts";
import { openSqliteAudit } from "../metadata/sqlite/audit/sqlite-audit.ts";
import { openSqliteMetadata } from "../metadata/sqlite/sqlite-metadata.ts";
import { readIdentity } from "../publish/identity.ts";
import type { BlobStoreCapabilities } from "../storage/blob-store.ts";
import { openFsBlobStore } from "../storage/fs/fs-blob-store.ts";
import { storeLayout } from "../storage/fs/store-folder.ts";
import { measureFolder } from "./doctor/measure-folder.ts";
import { CACHE_BYTES, remoteFolders } from "./open-blobs.ts";
import { openBucket } from "./open-bucket.ts";
import { isThere, placeOf } from "./open-stores.ts";
import { locateStore, type StoreLocation } from "./store-location.ts";

export interface StoreInfo {
  readonly schema: 1;
  /** Its folder, or the URL of its bucket. */
  readonly place: string;
  /** Where its values lie. */
  readonly kind: "folder" | BucketUrl["kind"];
  readonly from: StoreChoice["from"];
  /** The file that names it, if one does. */
  readonly file?: string;
  /** A `.millrace` upwards that would be used if `millrace.json` did not name another store. */
  readonly insteadOf?: string;
  /** Its folder: records, and values or what is kept of them. */
  readonly folder: string;
  readonly isReadonly: boolean;
  readonly capabilities?: BlobStoreCapabilities;
  /** What the URL says of the service; the rest follows its library's own conventions. */
  readonly options?: BucketOptions;
  readonly bucket?: BucketState;
  /** Absent while there are no records. */
  readonly records?: RecordInfo;
  readonly cache?: FolderSize & { readonly limitBytes: number };
  /** Values that are not in the bucket yet. */
  readonly spool?: FolderSize;
}

export interface FolderSize {
  readonly folder: string;
  readonly files: number;
  readonly bytes: number;
}

export interface BucketState {
  /** `this`: of these records; `none`: it has no store; `other`: of another; `unknown`: it cannot be asked. */
  readonly holds: "this" | "none" | "other" | "unknown";
  readonly storeId?: string;
  /** Why it cannot be asked. */
  readonly error?: { readonly code: string; readonly message: string; readonly hint?: string };
}

export interface RecordInfo {
  readonly storeId: string;
  readonly schemaVersion: number;
  readonly createdAt: string;
  readonly sizeBytes: number;
  readonly runs: number;
  readonly values: { readonly count: number; readonly bytes: number };
  /** Of a bucket's store: changes that the bucket is still to be told, up to 1,000. */
  readonly untold?: number;
}

export interface StoreInfoRequest {
  /** The `--store` option. */
  readonly store?: string;
  readonly cwd: string;
  readonly environment: Environment;
}

/** Counted up to here: it says that there is much, and how much is of no use to anyone. */
const MAX_UNTOLD = 1_000;

/**
 * Looks at a store. That a bucket cannot be reached is a part of the answer.
 *
 * @throws FlowError FLOW_CONFIG_BAD_STORE, FLOW_CONFIG_BAD_FILE, FLOW_CLIENT_FOREIGN_STORE, and of the metadata room for
 *   records that cannot be read
 */
export async function storeInfo(request: StoreInfoRequest): Promise<StoreInfo> {
  const { store } = resolveTrustedConfig(request);
  const location = locateStore(store);
  const { databaseFile, blobFolder, temporaryFolder } = location;
  const records = isThere(databaseFile) ? await lookAtRecords(databaseFile) : undefined;
  const found = store.from === "file" ? findFolder(request.cwd) : undefined;
  return {
    schema: 1,
    place: placeOf(store),
    kind: store.bucket?.kind ?? "folder",
    from: store.from,
    ...(store.file === undefined ? {} : { file: store.file }),
    ...(found === undefined || found === store.folder || !hasRecords(found) ? {} : { insteadOf: found }),
    folder: store.folder,
    isReadonly: isThere(databaseFile) && !mayWrite(databaseFile),
    ...(store.bucket === undefined
      ? { capabilities: openFsBlobStore(blobFolder, { temporaryFolder }).capabilities }
      : {
          options: store.bucket.options,
          ...(await lookAtBucket(store.bucket, store.folder, records?.storeId)),
          ...lookAtFolders(location),
        }),
    ...(records === undefined ? {} : { records: withoutNews(records, store.bucket !== undefined) }),
  };
}

function lookAtFolders(location: StoreLocation): Required<Pick<StoreInfo, "cache" | "spool">> {
  const { cacheFolder, spoolFolder } = remoteFolders(location);
  const size = (folder: string): FolderSize => {
    const { files, bytes } = fs.existsSync(folder) ? measureFolder(folder) : { files: 0, bytes: 0 };
    return { folder, files, bytes };
  };
  return { cache: { ...size(cacheFolder), limitBytes: location.cacheBytes ?? CACHE_BYTES }, spool: size(spoolFolder) };
}

/** A `.millrace` may be there for its buckets alone. */
function hasRecords(folder: string): boolean {
  return fs.existsSync(storeLayout(folder).database);
}

async function lookAtRecords(file: string): Promise<RecordInfo> {
  const audit = openSqliteAudit(file);
  const metadata = await openSqliteMetadata(file, { readonly: true });
  try {
    const [totals, { storeId, schemaVersion, createdAt }] = await Promise.all([audit.totals(), metadata.info()]);
    return {
      storeId,
      schemaVersion,
      createdAt: createdAt.toISOString(),
      sizeBytes: fs.statSync(file).size,
      runs: totals.runs,
      values: { count: totals.blobs, bytes: totals.storedBytes },
      untold: (await metadata.bucket.news(MAX_UNTOLD)).length,
    };
  } finally {
    await metadata.close();
    await audit.close();
  }
}

function withoutNews({ untold, ...records }: RecordInfo, isInBucket: boolean): RecordInfo {
  return isInBucket && untold !== undefined ? { ...records, untold } : records;
}

async function lookAtBucket(
  url: BucketUrl,
  folder: string,
  storeId: string | undefined,
): Promise<Pick<StoreInfo, "bucket" | "capabilities">> {
  try {
    const probe = notedWrites(folder, url);
    const bucket = await openBucket(url, probe === undefined ? {} : { probe });
    try {
      const there = await readIdentity(bucket);
      const holds = there === undefined ? "none" : there.store === storeId ? "this" : "other";
      return {
        capabilities: bucket.capabilities,
        bucket: { holds, ...(there === undefined ? {} : { storeId: there.store }) },
      };
    } finally {
      await bucket.close();
    }
  } catch (error) {
    if (!isFlowError(error)) throw error;
    const { code, message, hint } = error;
    return { bucket: { holds: "unknown", error: { code, message, ...(hint === undefined ? {} : { hint }) } } };
  }
}

function mayWrite(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
