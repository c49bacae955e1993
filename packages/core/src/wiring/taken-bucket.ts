/** A bucket that has a store whose records are not on this machine: records made anew would be those of another store. */
import type { StoreChoice } from "../config/find-store.ts";
import { FlowError } from "../errors/flow-error.ts";
import { readIdentity } from "../publish/identity.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import { shellWord } from "../util/shell-word.ts";
import { refuseNestedStore } from "./nested-store.ts";
import { openBucket } from "./open-bucket.ts";
import { hasRecords, placeOf } from "./open-stores.ts";
import { locateStore } from "./store-location.ts";

/**
 * Refuses to make records where the bucket has a store already; those that are here may be used.
 *
 * @param bucket  of the store, when it is open. Default: it is opened for this
 * @returns whether the bucket has a store
 * @throws FlowError FLOW_PUBLISH_OTHER_STORE, FLOW_PUBLISH_NESTED, and those of the bucket
 */
export async function refuseTakenBucket(store: StoreChoice, bucket?: BlobStore): Promise<boolean> {
  const there = await (bucket === undefined ? identityIn(store) : readIdentity(bucket));
  // Records are made before the bucket is claimed for them: another command here may just have done both.
  if (hasRecords(locateStore(store))) return there !== undefined;
  if (there === undefined) {
    if (store.bucket !== undefined) await refuseNestedStore(store.bucket);
    return false;
  }
  const place = placeOf(store);
  const named = store.from === "option" ? ` --store ${shellWord(place)}` : "";
  throw new FlowError("FLOW_PUBLISH_OTHER_STORE", {
    message: `Cannot make a store in "${place}": it has one already, with the id ${there.store}, whose records are not on this machine`,
    hint: `Type flow store rebuild${named}, which makes its records here; or choose another prefix for a store of its own`,
    context: { bucket: place, belongsTo: there.store },
  });
}

async function identityIn({ bucket: url }: StoreChoice): ReturnType<typeof readIdentity> {
  if (url === undefined) return undefined;
  const bucket = await openBucket(url);
  try {
    return await readIdentity(bucket);
  } finally {
    await bucket.close();
  }
}
