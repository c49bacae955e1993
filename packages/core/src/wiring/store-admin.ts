/** Verifying and repairing the store that option, environment and folder name. Neither opens it as runs do: it may be damaged. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { type RepairOptions, type RepairReport, repairStore as repair } from "../admin/repair/repair-store.ts";
import type { VerifyReport } from "../admin/verify/finding.ts";
import { type VerifyOptions, verifyStore as verify } from "../admin/verify/verify-store.ts";
import { ArtifactStore } from "../artifact/artifact-store.ts";
import { type Environment, resolveConfig } from "../config/config.ts";
import { isProcessAlive } from "../config/process-identity.ts";
import { FlowError, isFlowError } from "../errors/flow-error.ts";
import type { BucketAudit } from "../metadata/bucket-audit.ts";
import type { RecordAudit } from "../metadata/record-audit.ts";
import { repairRecords } from "../metadata/sqlite/audit/repair-records.ts";
import { openSqliteAudit } from "../metadata/sqlite/audit/sqlite-audit.ts";
import { takeGcLock } from "../metadata/sqlite/deletion/gc-lock.ts";
import { openSqliteMetadata } from "../metadata/sqlite/sqlite-metadata.ts";
import { takeTellingLock } from "../metadata/sqlite/telling-lock.ts";
import { auditBucket } from "../publish/audit-bucket.ts";
import { mendBucket } from "../publish/mend-bucket.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import type { FolderRepair } from "../storage/folder-audit.ts";
import { fileError } from "../storage/fs/file-error.ts";
import { openFsBlobStore } from "../storage/fs/fs-blob-store.ts";
import { inspectFolder } from "../storage/fs/inspect-folder.ts";
import { repairFolder } from "../storage/fs/repair-folder.ts";
import { storeLayout } from "../storage/fs/store-folder.ts";
import { bucketFolder } from "../storage/remote/bucket-folder.ts";
import { openDirectStore } from "../storage/remote/direct-store.ts";
import { restoreRecords } from "./kept-copies.ts";
import { openBucketClient } from "./open-blobs.ts";
import { isThere, noStore } from "./open-stores.ts";
import { locateStore, type StoreLocation } from "./store-location.ts";

export interface StoreToCheck {
  /** The `--store` option. */
  readonly store?: string;
  readonly cwd: string;
  readonly environment: Environment;
}

/**
 * Verifies a store; changes nothing, and may be called while runs write.
 *
 * @throws FlowError FLOW_CLIENT_NO_STORE, FLOW_METADATA_NEWER_STORE, FLOW_METADATA_READ_ONLY and others of the metadata
 *   and storage rooms for a store that cannot be looked at; damage is a finding
 */
export async function verifyStore(input: StoreToCheck, options: VerifyOptions = {}): Promise<VerifyReport> {
  const { folder, location } = locate(input);
  const { blobs, artifacts, audited } = openValues(folder, location);
  const audit = openAudit(location);
  try {
    const bucket = audited === undefined || isFlowError(audit) ? {} : { bucket: auditBucket(blobs, audit.bucket) };
    const looked = audited ?? inspectFolder(folder, { isAlive });
    return await verify({ audit, artifacts, blobs, folder: looked, ...bucket }, options);
  } finally {
    if (!isFlowError(audit)) await audit.close();
    await blobs.close();
  }
}

/**
 * Verifies a store with all of its data and mends what can be mended without guessing.
 *
 * @throws FlowError as `verifyStore`, FLOW_GC_RUNNING while garbage is collected, FLOW_METADATA_BUSY when another process tells the bucket for 3 minutes, FLOW_METADATA_CORRUPT when only a copy of the records helps, and
 *   FLOW_METADATA_READ_ONLY, FLOW_STORAGE_DENIED and others for what cannot be written
 */
export async function repairStore(input: StoreToCheck, options: RepairOptions = {}): Promise<RepairReport> {
  const { folder, location } = locate(input);
  // What a collection deletes beside it would be mended as a loss, or put back; a dry run does nothing that could meet one.
  const lock = options.dryRun === true ? undefined : takeGcLock(storeLayout(folder).lock, "repair the store");
  const { blobs, artifacts, audited } = openValues(folder, location);
  try {
    return await repair(
      {
        blobs,
        artifacts,
        folder: audited ?? repairFolder(folder, { isAlive }),
        openAudit: () => openAudit(location),
        repairRecords: (repairs) => repairRecords(location.databaseFile, repairs),
        ...(audited === undefined
          ? {}
          : { bucketOf: (audit) => bucketOf(audit, { blobs, audited, location, folder }) }),
      },
      options,
    );
  } finally {
    await blobs.close();
    lock?.release();
  }
}

/** The bucket of a store, as a repair goes about it. */
function bucketOf(
  { bucket: side }: RecordAudit,
  {
    blobs,
    audited,
    location,
    folder,
  }: {
    readonly blobs: BlobStore;
    readonly audited: FolderRepair;
    readonly location: StoreLocation;
    readonly folder: string;
  },
): BucketAudit {
  return {
    ...auditBucket(blobs, side),
    async mend(mends) {
      const metadata = await openSqliteMetadata(location.databaseFile);
      const putAside = async (key: string): Promise<void> => {
        const bytes = await blobs.get(key);
        if (bytes === undefined) return;
        audited.keepAside(key.replaceAll("/", "-"), bytes);
        await blobs.delete(key);
      };
      const lock = () => takeTellingLock(storeLayout(folder).telling);
      try {
        return await mendBucket({ bucket: blobs, metadata, side, putAside, lock }, mends);
      } finally {
        await metadata.close();
      }
    },
  };
}

function locate(input: StoreToCheck): { readonly folder: string; readonly location: StoreLocation } {
  const { store } = resolveConfig(input);
  const location = locateStore(store);
  if (!isThere(location.databaseFile) && !hasValues(location)) throw noStore(store, input.cwd);
  return { folder: store.folder, location };
}

/** Values as they are: of a bucket, not the copies of them that lie on this machine, but for those that a repair put aside. */
function openValues(folder: string, location: StoreLocation) {
  const local = openFsBlobStore(location.blobFolder, { temporaryFolder: location.temporaryFolder });
  const client = openBucketClient(location);
  const blobs = client === undefined ? local : openDirectStore(client, local);
  const audited = client && bucketFolder({ client, folder: repairFolder(folder, { isAlive }), folderPath: folder });
  return { blobs, artifacts: new ArtifactStore(blobs), audited };
}

/** Records that cannot be read are what there is to find; that they may not be read is an error. */
function openAudit(location: StoreLocation): RecordAudit | FlowError {
  const { databaseFile } = location;
  const state = existsSync(databaseFile) ? "empty" : "not there";
  if (state === "not there" || (statSync(databaseFile).size === 0 && hasValues(location)))
    return new FlowError("FLOW_METADATA_CORRUPT", {
      message: `Cannot open the records in "${databaseFile}": the file is ${state}, though the store has held runs`,
      hint: restoreRecords(databaseFile),
      context: { path: databaseFile },
    });
  try {
    return openSqliteAudit(databaseFile);
  } catch (error) {
    if (isFlowError(error, "FLOW_METADATA_CORRUPT") || isFlowError(error, "FLOW_METADATA_NOT_A_STORE")) return error;
    throw error;
  }
}

/** Whether this is a store that has lost its records, and not any other folder, or a file. */
function hasValues({ databaseFile, blobFolder }: StoreLocation): boolean {
  if (existsSync(join(blobFolder, "blobs", "sha256"))) return true;
  const folder = dirname(databaseFile);
  try {
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) return false;
    return readdirSync(folder).some((name) => name.startsWith("millrace.db"));
  } catch (error) {
    throw fileError("Cannot look into the store", folder, error);
  }
}

function isAlive(pid: number): boolean | undefined {
  return isProcessAlive(pid, undefined);
}
