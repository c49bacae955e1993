/** A store inside of another one in the same bucket: each would take the objects of the other for what is none of its own. */
import type { BucketUrl } from "../config/bucket-url.ts";
import { FlowError, isFlowError } from "../errors/flow-error.ts";
import { IDENTITY_KEY } from "../publish/layout.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import { openBucket } from "./open-bucket.ts";

/** Where a store has its objects, below its prefix. */
const OWN_FOLDER = /^(.+?)\/(?:blobs|log|packages|packs|runs)\//;
/** Stores below a prefix are looked for among its first objects. */
const LOOKED_AT = 1_000;

/**
 * Refuses a place for a new store that lies in the prefix of another store, or around one that stands among its first 1,000 objects.
 *
 * @throws FlowError FLOW_PUBLISH_NESTED, and those of the bucket
 */
export async function refuseNestedStore(url: BucketUrl): Promise<void> {
  const whole = await openBucket({ ...url, prefix: "" });
  try {
    const [outer, inner] = await Promise.all([outerStore(whole, url.prefix), innerStore(whole, url.prefix)]);
    const other = outer ?? inner;
    if (other === undefined) return;
    const named = `${url.kind}://${url.bucket}${other === "" ? "" : `/${other}`}`;
    throw new FlowError("FLOW_PUBLISH_NESTED", {
      message: `Cannot make a store in "${url.text}": ${outer === undefined ? "there is another one inside of it" : "it lies inside of another one"}, "${named}"`,
      hint: "Choose a prefix beside that of the other store",
      context: { bucket: url.text, other: named },
    });
  } finally {
    await whole.close();
  }
}

async function outerStore(whole: BlobStore, prefix: string): Promise<string | undefined> {
  if (prefix === "") return undefined;
  const parts = prefix.split("/");
  const outer = parts.map((_, depth) => parts.slice(0, depth).join("/"));
  const found = await Promise.all(outer.map((place) => hasStore(whole, place)));
  return outer[found.indexOf(true)];
}

async function innerStore(whole: BlobStore, prefix: string): Promise<string | undefined> {
  const { keys } = await whole.list({ prefix: prefix === "" ? "" : `${prefix}/`, limit: LOOKED_AT });
  const places = new Set<string>();
  for (const key of keys) {
    if (key.endsWith(`/${IDENTITY_KEY}`)) places.add(key.slice(0, -IDENTITY_KEY.length - 1));
    const owner = OWN_FOLDER.exec(key)?.[1];
    if (owner !== undefined) places.add(owner);
  }
  places.delete(prefix);
  for (const place of places) if (await hasStore(whole, place)) return place;
  return undefined;
}

async function hasStore(whole: BlobStore, place: string): Promise<boolean> {
  try {
    return (await whole.stat(place === "" ? IDENTITY_KEY : `${place}/${IDENTITY_KEY}`)) !== undefined;
  } catch (error) {
    // Who may see his own prefix alone is not kept from making a store there.
    if (isFlowError(error, "FLOW_STORAGE_CREDENTIALS") || isFlowError(error, "FLOW_STORAGE_DENIED")) return false;
    throw error;
  }
}
