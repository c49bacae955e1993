import type { BlobRow, Digest } from "./artifact.ts";

/**
 * The key of a payload in the blob store: `blobs/sha256/ab/<digest>`, and `.zst` behind it when it is kept compressed.
 *
 * Two hex digits make 256 folders, so that a million blobs stand four thousand to a folder; the rule of
 * `git` and of the OCI image layout. A file without `.zst` is the payload itself: `sha256sum` gives its name.
 */
export function blobKey(digest: Digest, compression: BlobRow["compression"]): string {
  return `${BLOB_PREFIX}${digest.slice(0, 2)}/${digest}${compression === "zstd" ? ".zst" : ""}`;
}

export const BLOB_PREFIX = "blobs/sha256/";

/** What a key of the blob store names; undefined for keys of another form. */
export function parseBlobKey(
  key: string,
): { readonly digest: Digest; readonly compression: BlobRow["compression"] } | undefined {
  const match = /^blobs\/sha256\/([0-9a-f]{2})\/(\1[0-9a-f]{62})(\.zst)?$/.exec(key);
  return match === null
    ? undefined
    : { digest: match[2] as Digest, compression: match[3] === undefined ? "none" : "zstd" };
}
