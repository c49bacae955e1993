import type { Digest } from "../artifact/artifact.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import { BadContent, decodeText } from "../transfer/json-lines.ts";
import { type PackageText, packageText } from "../transfer/package-text.ts";
import { packageKey } from "./layout.ts";
import { damaged, NOT_THERE } from "./publish-error.ts";
import { readAgain } from "./read-again.ts";

/**
 * Reads the text of a code package, and checks that its files give its digest.
 *
 * @throws FlowError FLOW_PUBLISH_DAMAGED, and those of the bucket
 */
export async function readPackage(
  bucket: BlobStore,
  digest: Digest,
): Promise<{ readonly manifest: string; readonly files: PackageText["files"] }> {
  const key = packageKey(digest);
  return await readAgain(async () => {
    const bytes = await bucket.get(key);
    if (bytes === undefined) throw damaged(key, NOT_THERE);
    try {
      const manifest = decodeText(bytes);
      return { manifest, files: packageText(digest, manifest).files };
    } catch (error) {
      if (!(error instanceof BadContent)) throw error;
      throw damaged(key, error.message, error);
    }
  });
}
