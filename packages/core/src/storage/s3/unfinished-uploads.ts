/** Uploads in parts that were begun and neither completed nor given up: nobody sees their parts, and somebody pays for them. */
import type { Attempt } from "../attempt.ts";
import type { UnfinishedUpload } from "../blob-store.ts";
import type { S3Calls } from "./s3-calls.ts";
import { nameOf } from "./s3-error.ts";

export interface UploadsPlace {
  readonly calls: S3Calls;
  readonly attempt: Attempt;
  readonly bucket: string;
  /** Of the store, with its slash. */
  readonly prefix: string;
}

/** All of a store, oldest key first; what a service says of none of them is not guessed. */
export async function listUploads({
  calls,
  attempt,
  bucket,
  prefix,
}: UploadsPlace): Promise<readonly UnfinishedUpload[]> {
  const found: UnfinishedUpload[] = [];
  let markers: { readonly KeyMarker?: string | undefined; readonly UploadIdMarker?: string | undefined } = {};
  for (;;) {
    const command = new calls.sdk.ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix, ...markers });
    const page = await attempt("list", () =>
      calls.call({ verb: "list" }, 0, ({ options }) => calls.client.send(command, options)),
    );
    for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
      if (Key === undefined || UploadId === undefined || Initiated === undefined || !Key.startsWith(prefix)) continue;
      const sizeBytes = await sizeOf({ calls, attempt }, { Bucket: bucket, Key, UploadId });
      if (sizeBytes === undefined) continue; // It was completed or given up meanwhile.
      found.push({ key: Key.slice(prefix.length), id: UploadId, begunAt: Initiated.getTime(), sizeBytes });
    }
    if (page.IsTruncated !== true) return found;
    markers = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker };
  }
}

/** Gives an upload up, with its parts; one that is over is no error. */
export async function endUpload(
  { calls, attempt, bucket, prefix }: UploadsPlace,
  { key, id }: Pick<UnfinishedUpload, "key" | "id">,
): Promise<void> {
  const command = new calls.sdk.AbortMultipartUploadCommand({ Bucket: bucket, Key: prefix + key, UploadId: id });
  await attempt("delete", () =>
    calls.call({ verb: "delete", key }, 0, async ({ options }) => {
      try {
        await calls.client.send(command, options);
      } catch (error) {
        if (nameOf(error) !== "NoSuchUpload") throw error;
      }
    }),
  );
}

async function sizeOf(
  { calls, attempt }: Pick<UploadsPlace, "calls" | "attempt">,
  named: { readonly Bucket: string; readonly Key: string; readonly UploadId: string },
): Promise<number | undefined> {
  let sizeBytes = 0;
  for (let marker: string | undefined; ; ) {
    const command = new calls.sdk.ListPartsCommand({
      ...named,
      ...(marker === undefined ? {} : { PartNumberMarker: marker }),
    });
    const page = await attempt("list", () =>
      calls.call({ verb: "list" }, 0, async ({ options }) => {
        try {
          return await calls.client.send(command, options);
        } catch (error) {
          if (nameOf(error) === "NoSuchUpload") return undefined;
          throw error;
        }
      }),
    );
    if (page === undefined) return undefined;
    for (const { Size = 0 } of page.Parts ?? []) sizeBytes += Size;
    if (page.IsTruncated !== true) return sizeBytes;
    marker = page.NextPartNumberMarker;
  }
}
