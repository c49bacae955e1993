import { initialMigration } from "./0001-initial.ts";
import { executionsMigration, schema1AsSchema2 } from "./0002-executions.ts";
import { deletionsMigration, schema2AsSchema3, withoutTaskDigests } from "./0003-deletions.ts";
import { schema3AsSchema4, tagsMigration } from "./0004-tags.ts";
import { metricsMigration, withoutMetrics } from "./0005-metrics.ts";
import { lineageMigration } from "./0006-lineage.ts";
import { cacheDigestsMigration, withoutCache, withoutCacheDigests } from "./0007-cache-digests.ts";
import { signaturesMigration, withoutSignatures } from "./0008-signatures.ts";
import { bucketsMigration, withoutBucket } from "./0009-buckets.ts";

/** All migrations in order: number n (from 1) leads from schema n - 1 to schema n. */
export const migrations: readonly (readonly string[])[] = [
  initialMigration,
  executionsMigration,
  deletionsMigration,
  tagsMigration,
  metricsMigration,
  lineageMigration,
  cacheDigestsMigration,
  signaturesMigration,
  bucketsMigration,
];

/** The schema that this program writes and reads. */
export const SCHEMA_VERSION = migrations.length;

/** What a connection that may only read needs to show an older schema as the newest; by the version of the store. */
export const readerViews: Readonly<Record<number, readonly string[]>> = {
  1: [
    ...schema1AsSchema2,
    ...schema2AsSchema3,
    ...schema3AsSchema4,
    ...withoutMetrics,
    ...withoutCache,
    ...withoutSignatures,
    ...withoutBucket,
  ],
  2: [
    ...withoutTaskDigests,
    ...schema2AsSchema3,
    ...schema3AsSchema4,
    ...withoutMetrics,
    ...withoutCacheDigests,
    ...withoutSignatures,
    ...withoutBucket,
  ],
  3: [...schema3AsSchema4, ...withoutMetrics, ...withoutCacheDigests, ...withoutSignatures, ...withoutBucket],
  4: [...withoutMetrics, ...withoutCacheDigests, ...withoutSignatures, ...withoutBucket],
  5: [...withoutCacheDigests, ...withoutSignatures, ...withoutBucket],
  6: [...withoutCacheDigests, ...withoutSignatures, ...withoutBucket],
  7: [...withoutSignatures, ...withoutBucket],
  8: withoutBucket,
};
