/** Queries about blobs. */
import { query } from "./query.ts";
import type { BlobTable } from "./schema.ts";

/** A blob that is there stays as it is: equal digests are equal bytes. */
export const insertBlob = query<BlobTable>()((db, arg) =>
  db
    .insertInto("blob")
    .values({
      digest: arg("digest"),
      size_bytes: arg("size_bytes"),
      stored_bytes: arg("stored_bytes"),
      compression: arg("compression"),
      stored: arg("stored"),
    })
    .onConflict((conflict) => conflict.column("digest").doNothing()),
);

export const blobByDigest = query<{ digest: Uint8Array }>()((db, arg) =>
  db
    .selectFrom("blob")
    .select(["digest", "size_bytes", "stored_bytes", "compression", "stored"])
    .where("digest", "=", arg("digest")),
);
