/** Queries about code packages, and about the store as a whole. */
import { query } from "./query.ts";

export const insertPackage = query<{ digest: Uint8Array; manifest: string }>()((db, arg) =>
  db
    .insertInto("code_package")
    .values({ digest: arg("digest"), manifest: arg("manifest") })
    .onConflict((conflict) => conflict.column("digest").doNothing()),
);

export const insertPackageBlob = query<{ package: Uint8Array; digest: Uint8Array }>()((db, arg) =>
  db.insertInto("code_package_blob").values({ package: arg("package"), digest: arg("digest") }),
);

export const packageByDigest = query<{ digest: Uint8Array }>()((db, arg) =>
  db.selectFrom("code_package").select(["digest", "manifest"]).where("digest", "=", arg("digest")),
);

export const storeInfo = query<Record<never, never>>()((db) =>
  db.selectFrom("store").select(["store_id", "schema_version", "created_at"]).where("id", "=", 1),
);
