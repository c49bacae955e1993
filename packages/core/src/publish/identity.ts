/** Whose bucket it is: the one object that is there before all others. */

import { FlowError } from "../errors/flow-error.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import { BadContent, checkShape, decodeText, parseJson } from "../transfer/json-lines.ts";
import * as of from "../transfer/shapes.ts";
import { z } from "../util/zod.ts";
import { BUCKET_FORMAT, IDENTITY_KEY } from "./layout.ts";
import { damaged } from "./publish-error.ts";
import { readAgain } from "./read-again.ts";

export interface BucketIdentity {
  /** Id of the store. */
  readonly store: string;
  readonly createdAt: Date;
}

const shape = z.object({ format: z.literal(BUCKET_FORMAT), store: of.storeId, createdAt: of.time });

/**
 * Makes a bucket that of a store, or finds that it is.
 *
 * @throws FlowError FLOW_PUBLISH_OTHER_STORE, FLOW_PUBLISH_NEWER_FORMAT, FLOW_PUBLISH_DAMAGED, and those of the bucket
 */
export async function claimBucket(bucket: BlobStore, store: BucketIdentity): Promise<void> {
  let known = await readIdentity(bucket);
  if (known === undefined) {
    const text = JSON.stringify({
      createdAt: store.createdAt.toISOString(),
      format: BUCKET_FORMAT,
      store: store.store,
    });
    await bucket.put(IDENTITY_KEY, [Buffer.from(`${text}\n`)]);
    known = await readIdentity(bucket); // Of two at once, one was the first.
  }
  if (known?.store === store.store) return;
  throw new FlowError("FLOW_PUBLISH_OTHER_STORE", {
    message: `Cannot use the bucket for the store ${store.store}: it belongs to the store ${known?.store ?? "?"}`,
    hint: "Choose another prefix, or open the store of this bucket: flow store rebuild brings its records back",
    context: { store: store.store, belongsTo: known?.store },
  });
}

/**
 * Reads whose bucket it is; undefined for one that belongs to no store yet.
 *
 * @throws FlowError FLOW_PUBLISH_NEWER_FORMAT, FLOW_PUBLISH_DAMAGED, and those of the bucket
 */
export async function readIdentity(bucket: BlobStore): Promise<BucketIdentity | undefined> {
  return await readAgain(() => readIdentityOnce(bucket));
}

async function readIdentityOnce(bucket: BlobStore): Promise<BucketIdentity | undefined> {
  const bytes = await bucket.get(IDENTITY_KEY);
  if (bytes === undefined) return undefined;
  try {
    const value = parseJson(decodeText(bytes));
    refuseNewer(IDENTITY_KEY, (value as { readonly format?: unknown } | null)?.format);
    const { store, createdAt } = checkShape(value, shape);
    return { store, createdAt: new Date(createdAt) };
  } catch (error) {
    if (!(error instanceof BadContent)) throw error;
    throw damaged(IDENTITY_KEY, error.message, error);
  }
}

/** @throws FlowError FLOW_PUBLISH_NEWER_FORMAT */
export function refuseNewer(key: string, format: unknown): void {
  if (typeof format !== "number" || format <= BUCKET_FORMAT) return;
  throw new FlowError("FLOW_PUBLISH_NEWER_FORMAT", {
    message: `Cannot read "${key}" of the bucket: it has format ${format}, this version of Millrace knows ${BUCKET_FORMAT}`,
    hint: "Update Millrace",
    context: { key, format, knownFormat: BUCKET_FORMAT },
  });
}
