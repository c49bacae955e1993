/** Stores in folders, and what becomes of them in a bucket and out of it again. */
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import type { StoreFinding } from "../../packages/core/src/admin/verify/finding.ts";
import { ArtifactStore } from "../../packages/core/src/artifact/artifact-store.ts";
import { BLOB_PREFIX } from "../../packages/core/src/artifact/blob-layout.ts";
import type { MetadataStore } from "../../packages/core/src/metadata/metadata-store.ts";
import { isOver } from "../../packages/core/src/metadata/run-state.ts";
import { openSqliteAudit } from "../../packages/core/src/metadata/sqlite/audit/sqlite-audit.ts";
import { openSqliteMetadata } from "../../packages/core/src/metadata/sqlite/sqlite-metadata.ts";
import { openSqliteTrial } from "../../packages/core/src/metadata/sqlite/sqlite-trial.ts";
import { auditBucket } from "../../packages/core/src/publish/audit-bucket.ts";
import type { BlobStore, SyncBlobStore } from "../../packages/core/src/storage/blob-store.ts";
import { openFsBlobStore } from "../../packages/core/src/storage/fs/fs-blob-store.ts";
import { createStoreFolder, storeLayout } from "../../packages/core/src/storage/fs/store-folder.ts";
import { exportRuns } from "../../packages/core/src/transfer/export-runs.ts";
import { type RebuildReport, rebuildRecords } from "../../packages/core/src/wiring/rebuild-records.ts";
import { verifyStore } from "../../packages/core/src/wiring/store-admin.ts";

export interface FolderStore {
  readonly folder: string;
  readonly metadata: MetadataStore;
  readonly blobs: SyncBlobStore;
  readonly artifacts: ArtifactStore;
}

export async function openFolder(folder: string): Promise<FolderStore> {
  const { layout } = createStoreFolder(folder);
  const blobs = openFsBlobStore(layout.folder, { temporaryFolder: layout.temporary });
  return { folder, blobs, artifacts: new ArtifactStore(blobs), metadata: await openSqliteMetadata(layout.database) };
}

export async function closeStore({ metadata, blobs }: FolderStore): Promise<void> {
  await Promise.all([metadata.close(), blobs.close()]);
}

/** Of each run that is over the file of its export, by its digest; of others nothing. */
export async function exportsOf({ metadata, artifacts }: FolderStore): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {};
  for (const run of await metadata.runs({ limit: 1_000 })) {
    if (!isOver(run.status)) continue;
    const sum = createHash("sha256");
    await exportRuns({ metadata, artifacts, openTrial: openSqliteTrial }, [run], {
      write: async (piece) => void sum.update(piece),
    });
    found[`${run.flow.name}/${run.number} at ${run.sequence} (${run.status}) ${[...run.tags].sort()}`] =
      sum.digest("hex");
  }
  return found;
}

export const BY = { actor: "ann", host: "mill", at: new Date("2026-05-04T12:00:00.123Z") };

/** Records out of a bucket, in a folder that has the bucket's large values. */
export async function rebuildInto(bucket: BlobStore, folder: string): Promise<RebuildReport> {
  const { layout } = createStoreFolder(folder);
  const report = await rebuildRecords(bucket, layout.database, BY);
  const blobs = openFsBlobStore(layout.folder, { temporaryFolder: layout.temporary });
  for (const key of await keysOf(bucket, BLOB_PREFIX)) await blobs.put(key, [(await bucket.get(key))!]);
  await blobs.close();
  return report;
}

export async function keysOf(bucket: BlobStore, prefix = ""): Promise<readonly string[]> {
  const keys: string[] = [];
  for (let after: string | undefined; ; ) {
    const page = await bucket.list({ prefix, ...(after === undefined ? {} : { after }) });
    keys.push(...page.keys);
    if (page.next === undefined) return keys;
    after = page.next;
  }
}

/** What `flow store verify --read-data` finds. */
export async function findingsOf(folder: string): Promise<readonly string[]> {
  const findings: StoreFinding[] = [];
  const input = { store: folder, cwd: path.dirname(folder), environment: {} };
  await verifyStore(input, { readData: true, onFinding: (finding) => void findings.push(finding) });
  return findings.map((finding) => JSON.stringify(finding));
}

/** What verify finds in a bucket besides values, by the records of a folder; nothing for a bucket that says what they say. */
export async function bucketFaultsOf(folder: string, bucket: BlobStore): Promise<readonly string[]> {
  const audit = openSqliteAudit(databaseOf(folder));
  const found: string[] = [];
  for await (const { check, kind, evidence } of auditBucket(bucket, audit.bucket).faults({ isRead: () => true }))
    found.push(`${check} ${kind} ${evidence}`);
  await audit.close();
  return found;
}

export function databaseOf(folder: string): string {
  return storeLayout(folder).database;
}

export function filesOf(folder: string): readonly string[] {
  return fs.readdirSync(folder).sort();
}
