/**
 * What a repair writes into a bucket: what the records know and the bucket has lost. Nothing that lies there is replaced: what is broken is put aside
 * first, and a run whose manifest says something else is written beside it under the next key of its execution.
 */
import { isFlowError } from "../errors/flow-error.ts";
import type { RunId } from "../ids/run-id.ts";
import type { BucketMend, BucketSide } from "../metadata/bucket-audit.ts";
import type { MetadataStore } from "../metadata/metadata-store.ts";
import { isOver } from "../metadata/run-state.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import { claimBucket } from "./identity.ts";
import { IDENTITY_KEY, PACKS_PREFIX } from "./layout.ts";
import { mendLog, type PutAside } from "./mend-log.ts";
import { Packer } from "./packer.ts";
import { writeRun } from "./write-run.ts";

export interface BucketToMend {
  readonly bucket: BlobStore;
  readonly metadata: MetadataStore;
  readonly side: BucketSide;
  readonly putAside: PutAside;
  /** Keeps processes that wait for their turn from telling the bucket while its log is mended. Default: there are none. */
  readonly lock?: () => Promise<{ release(): void }>;
}

/**
 * @param mends without those of runs whose records are damaged: the bucket may be right about them
 * @returns in words what was done
 * @throws FlowError of the bucket and of the records
 */
export async function mendBucket(to: BucketToMend, mends: readonly BucketMend[]): Promise<readonly string[]> {
  const done: string[] = [];
  if (mends.some(({ kind }) => kind === "identity")) done.push(...(await mendIdentity(to)));
  if (mends.some(({ kind }) => kind === "log")) done.push(...(await mendLogAlone(to)));
  const runs = mends.filter((mend) => mend.kind === "run");
  for (const [, [first, ...more]] of Map.groupBy(runs, ({ run }) => run)) {
    const broken = [first!, ...more].flatMap((mend) => mend.broken);
    done.push(...(await mendRun(to, { ...first!, broken })));
  }
  return done;
}

async function mendIdentity({ bucket, metadata, putAside }: BucketToMend): Promise<readonly string[]> {
  const { storeId, createdAt } = await metadata.info();
  await putAside(IDENTITY_KEY);
  await claimBucket(bucket, { store: storeId, createdAt });
  return [`wrote "${IDENTITY_KEY}" of the bucket again`];
}

async function mendLogAlone({ bucket, metadata, side, putAside, lock }: BucketToMend): Promise<readonly string[]> {
  const held = await lock?.();
  try {
    return await mendLog(bucket, { side, bucket: metadata.bucket }, putAside);
  } finally {
    held?.release();
  }
}

/** Nothing is put aside for a run that the records cannot write. */
async function mendRun(
  { bucket, metadata, putAside }: BucketToMend,
  { run: id, name, broken }: BucketMend & { readonly kind: "run" },
): Promise<readonly string[]> {
  const inTheWay = new Set(broken);
  const done: string[] = [];
  try {
    for (let tries = 0; ; tries++) {
      const answer = await write(trialOf(bucket, inTheWay), metadata, id).catch((error: unknown) => {
        // A pack of an earlier execution, which the manifest need not name.
        const key = isFlowError(error, "FLOW_PUBLISH_DAMAGED") ? String(error.context.key) : "";
        if (!key.startsWith(PACKS_PREFIX) || inTheWay.has(key) || tries >= MAX_BROKEN_PACKS) throw error;
        inTheWay.add(key);
        return "again" as const;
      });
      if (answer === undefined) return [];
      if (answer !== "again") break;
    }
    for (const key of inTheWay) {
      await putAside(key);
      done.push(`put "${key}" of the bucket aside`);
    }
    const key = await write(bucket, metadata, id);
    return key === undefined ? done : [...done, `wrote ${name} into the bucket again, as "${key}"`];
  } catch (error) {
    if (!isFlowError(error, "FLOW_METADATA_MISSING_BLOB") && !isFlowError(error, "FLOW_PUBLISH_DAMAGED")) throw error;
    return [...done, `could not write ${name} into the bucket again: ${error.message}`];
  }
}

/** Of one run. */
const MAX_BROKEN_PACKS = 1_000;

/** @returns the key of the manifest; undefined for a run that was deleted or goes on again */
async function write(bucket: BlobStore, metadata: MetadataStore, id: RunId): Promise<string | undefined> {
  const run = await metadata.runById(id);
  if (run === undefined || !isOver(run.status)) return undefined;
  const packer = new Packer({ bucket, run: id, isContinued: true });
  return await writeRun({ bucket, metadata, records: metadata.bucket, run, packer });
}

/** The bucket as if some of its objects were gone; what is written to it is forgotten. */
function trialOf(bucket: BlobStore, gone: ReadonlySet<string>): BlobStore {
  return {
    capabilities: bucket.capabilities,
    put: async () => "created",
    async putStream(_key, pieces) {
      for await (const _ of pieces); // Making them is what is tried.
      return "created";
    },
    get: async (key, range) => (gone.has(key) ? undefined : await bucket.get(key, range)),
    stat: async (key) => (gone.has(key) ? undefined : await bucket.stat(key)),
    async list(query) {
      const { keys, facts, ...page } = await bucket.list(query);
      const isThere = (_: unknown, index: number): boolean => !gone.has(keys[index]!);
      const kept = facts === undefined ? {} : { facts: facts.filter(isThere) };
      return { ...page, keys: keys.filter(isThere), ...kept };
    },
    getVersioned: async (key) => (gone.has(key) ? undefined : await bucket.getVersioned(key)),
    compareAndSet: async () => undefined,
    delete: async () => {},
    close: async () => {},
  };
}
