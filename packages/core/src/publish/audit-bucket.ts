/**
 * The bucket of a store held against its records: whose it is, its log, the runs in it, and what is none of the store's. What was recorded and
 * not told yet is no damage: the next command that writes tells it.
 */
import { isFlowError } from "../errors/flow-error.ts";
import type { RunId } from "../ids/run-id.ts";
import type { BucketAudit, BucketFault, BucketMend, BucketSide } from "../metadata/bucket-audit.ts";
import type { EndedRun } from "../metadata/bucket-records.ts";
import type { LogLine } from "../metadata/record-rebuild.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import { checkLog } from "./check-log.ts";
import { checkRuns, type RunCheckOptions } from "./check-runs.ts";
import { readIdentity } from "./identity.ts";
import {
  IDENTITY_KEY,
  LOG_PREFIX,
  PACKAGES_PREFIX,
  PACKS_PREFIX,
  parseLogKey,
  parseRunKey,
  RUNS_PREFIX,
} from "./layout.ts";

/** Objects that are none of the store's, which are named one by one. */
const MAX_NAMED = 100;
const VALUES = "blobs/";
/** The first key behind all that begin with `blobs/`. */
const BEHIND_VALUES = "blobs0";

export function auditBucket(bucket: BlobStore, records: BucketSide): Pick<BucketAudit, "faults"> {
  return { faults: (options) => faults(bucket, records, options) };
}

async function* faults(
  bucket: BlobStore,
  records: BucketSide,
  { isRead }: Pick<RunCheckOptions, "isRead">,
): AsyncGenerator<BucketFault, void> {
  const { storeId, told, news, story } = await records.told();
  const identity = await identityFault(bucket, storeId, told !== undefined);
  if (identity === "nothing yet" && story.length === 0) return;
  if (identity !== undefined && identity !== "nothing yet") yield identity;
  if (identity !== undefined && (identity === "nothing yet" || identity.remedy === "copy")) return;
  yield* await checkLog(bucket, () => records.told());
  const owed = new Set<RunId>();
  for (const text of news) {
    const line = JSON.parse(text) as LogLine | EndedRun;
    if (line.kind === "ended") owed.add(line.run);
  }
  if (owed.size > 0)
    yield {
      check: "S13",
      kind: "note",
      evidence: `${owed.size === 1 ? "a run that ended is" : `${owed.size} runs that ended are`} not in the bucket yet; the next command that writes brings ${owed.size === 1 ? "it" : "them"} there`,
      subject: { file: RUNS_PREFIX },
    };
  yield* checkRuns(bucket, records, { storeId, owed, isRead });
  yield* foreignObjects(bucket);
}

async function identityFault(
  bucket: BlobStore,
  storeId: string,
  isTied: boolean,
): Promise<BucketFault | "nothing yet" | undefined> {
  const fault = (evidence: string, mend?: BucketMend): BucketFault => ({
    check: "S12",
    kind: "damage",
    evidence,
    subject: { file: IDENTITY_KEY },
    ...(mend === undefined ? { remedy: "copy" } : { remedy: "repair", mend }),
  });
  try {
    const there = await readIdentity(bucket);
    if (there?.store === storeId) return undefined;
    if (there !== undefined)
      return fault(`"${IDENTITY_KEY}" of the bucket names the store ${there.store}, and the records are of ${storeId}`);
    if (isTied) return fault(`"${IDENTITY_KEY}" of the bucket is not there`, { kind: "identity" });
    return "nothing yet";
  } catch (error) {
    if (!isFlowError(error, "FLOW_PUBLISH_DAMAGED")) throw error;
    return fault(error.message, isTied ? { kind: "identity" } : undefined);
  }
}

/** Objects outside of the folder of values, which is looked at with them. */
async function* foreignObjects(bucket: BlobStore): AsyncGenerator<BucketFault, void> {
  let unnamed = 0;
  for (let after: string | undefined; ; ) {
    const page = await bucket.list({ prefix: "", ...(after === undefined ? {} : { after }) });
    for (const key of page.keys) {
      if (key.startsWith(VALUES) || isOwn(key) || unnamed++ >= MAX_NAMED) continue;
      yield {
        check: "S10",
        kind: "note",
        evidence: `"${key}" of the bucket: it is none of the store's`,
        subject: { file: key },
      };
    }
    const last = page.keys.at(-1);
    if (page.next === undefined) break;
    after = last?.startsWith(VALUES) === true ? BEHIND_VALUES : page.next;
  }
  if (unnamed > MAX_NAMED)
    yield {
      check: "S10",
      kind: "note",
      evidence: `${unnamed - MAX_NAMED} further objects of the bucket are none of the store's`,
      subject: {},
    };
}

const PACK = new RegExp(`^${PACKS_PREFIX}[0-9a-f-]{36}/[0-9a-f]{64}$`);
const PACKAGE = new RegExp(`^${PACKAGES_PREFIX}[0-9a-f]{64}\\.json$`);

function isOwn(key: string): boolean {
  return (
    key === IDENTITY_KEY ||
    (key.startsWith(LOG_PREFIX) && parseLogKey(key) !== undefined) ||
    (key.startsWith(RUNS_PREFIX) && parseRunKey(key) !== undefined) ||
    PACK.test(key) ||
    PACKAGE.test(key) ||
    key.startsWith("probe/") // Of a first look at the service that goes on, or was broken off.
  );
}
