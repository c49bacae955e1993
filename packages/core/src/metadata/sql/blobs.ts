/** Queries about blobs. */
import { INLINE_LIMIT_BYTES } from "../../artifact/artifact.ts";
import { query } from "./query.ts";
import type { BlobTable } from "./schema.ts";

/**
 * A blob that is there stays as it is: equal digests are equal bytes. Only one whose bytes a repair took out of the database,
 * because they were broken, gets them again.
 */
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
    .onConflict((conflict) =>
      conflict
        .column("digest")
        .doUpdateSet((of) => ({
          size_bytes: of.ref("excluded.size_bytes"),
          stored_bytes: of.ref("excluded.stored_bytes"),
          compression: of.ref("excluded.compression"),
          stored: of.ref("excluded.stored"),
        }))
        .where("blob.stored", "is", null)
        .where((of) => of("blob.size_bytes", "<=", of.lit(INLINE_LIMIT_BYTES)))
        .where("excluded.stored", "is not", null),
    ),
);

export const blobByDigest = query<{ digest: Uint8Array }>()((db, arg) =>
  db
    .selectFrom("blob")
    .select(["digest", "size_bytes", "stored_bytes", "compression", "stored"])
    .where("digest", "=", arg("digest")),
);
