/** Queries about signatures of runs. */
import { query } from "./query.ts";
import type { RunSignatureTable } from "./schema.ts";

export const signaturesOfRun = query<{ run: number }>()((db, arg) =>
  db.selectFrom("run_signature").selectAll().where("run", "=", arg("run")).orderBy("position"),
);

export const insertSignature = query<RunSignatureTable>()((db, arg) =>
  db.insertInto("run_signature").values({
    run: arg("run"),
    position: arg("position"),
    key_id: arg("key_id"),
    statement: arg("statement"),
    signature: arg("signature"),
  }),
);
