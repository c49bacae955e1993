/**
 * The folder of a store whose values lie in a bucket: its records, what was downloaded and what waits to be uploaded. It
 * has the layout of any store, below `.millrace/buckets/`, and a note that says which bucket it belongs to, so that its
 * path means the same store as the bucket's URL, and what its service was found to make of conditional writes.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { asideName } from "../util/aside-name.ts";
import { type BucketUrl, parseStoreText } from "./bucket-url.ts";

/** Below `.millrace`. */
const BUCKETS_FOLDER = "buckets";
const NOTE = "bucket.json";
/** File systems take names of 255 bytes; a digest of all of it stands behind what is cut. */
const MAX_NAME = 80;

/** `s3-team-data-models-1a2b3c4d`: to be recognised by people; the digest tells apart what looks alike. */
export function bucketFolderName({ kind, bucket, prefix, options }: BucketUrl): string {
  // Region, profile and path style say how to get there; these say where it is.
  const identity = JSON.stringify([kind, bucket, prefix, options.endpoint ?? "", options.account ?? ""]);
  const digest = createHash("sha256").update(identity).digest("hex").slice(0, 8);
  const words = `${kind}-${bucket}${prefix === "" ? "" : `-${prefix}`}`.replace(/[^a-z0-9]+/g, "-");
  return `${words.slice(0, MAX_NAME)}-${digest}`;
}

/**
 * Where the records of a bucket's store are: the nearest folder for it from some folder upwards, else a new one.
 *
 * @param upwards  the folders to look through, `.millrace` in each
 * @param otherwise  the `.millrace` in which it would be made
 */
export function findBucketFolder(bucket: BucketUrl, upwards: Iterable<string>, otherwise: string): string {
  const name = bucketFolderName(bucket);
  for (const storeFolder of upwards) {
    const folder = join(storeFolder, BUCKETS_FOLDER, name);
    if (existsSync(folder)) return folder;
  }
  return join(otherwise, BUCKETS_FOLDER, name);
}

/** Which bucket a folder's values lie in; undefined for a store that has them all in its folder. */
export function bucketOfFolder(folder: string): BucketUrl | undefined {
  let text: unknown;
  try {
    text = (JSON.parse(readFileSync(join(folder, NOTE), "utf8")) as { readonly store?: unknown }).store;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // What cannot be looked at cannot be opened as a store either, and that says why.
    if (code !== undefined) return undefined;
  }
  const place = parseStoreText(typeof text === "string" ? text : "s3://", {
    base: folder,
    setting: `"${join(folder, NOTE)}"`,
  });
  return place.kind === "bucket" ? place.bucket : undefined;
}

/** What the service of a bucket makes of conditional writes. */
export interface ConditionalWrites {
  readonly createOnce: "honoured" | "ignored" | "refused";
  readonly compareAndSet: boolean;
}

/** What was found out about the service of a folder's bucket; undefined before, and when the note is of another address. */
export function notedWrites(folder: string, bucket: BucketUrl): ConditionalWrites | undefined {
  try {
    const { store, conditionalWrites } = JSON.parse(readFileSync(join(folder, NOTE), "utf8")) as {
      readonly store?: unknown;
      readonly conditionalWrites?: Partial<ConditionalWrites>;
    };
    const { createOnce, compareAndSet } = conditionalWrites ?? {};
    const isKnown = createOnce === "honoured" || createOnce === "ignored" || createOnce === "refused";
    return store === bucket.text && isKnown ? { createOnce, compareAndSet: compareAndSet === true } : undefined;
  } catch {
    return undefined; // What is not noted is found out again.
  }
}

/** Leaves the note in a folder that is there. Several processes may do so at once. */
export function noteBucket(
  folder: string,
  bucket: BucketUrl,
  writes: ConditionalWrites | undefined = notedWrites(folder, bucket),
): void {
  const note = { store: bucket.text, ...(writes === undefined ? {} : { conditionalWrites: writes }) };
  const text = `${JSON.stringify(note)}\n`;
  const file = join(folder, NOTE);
  if (existsSync(file) && readFileSync(file, "utf8") === text) return;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const aside = join(folder, asideName("TMP"));
  writeFileSync(aside, text, { mode: 0o600, flag: "wx" });
  renameSync(aside, file);
}
