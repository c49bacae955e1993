/** Queries about the policies of tags, and about tags that runs are to take when they succeed. */
import { query } from "./query.ts";
import type { TagPolicyTable, TagRequestTable } from "./schema.ts";

export const tagPolicies = query<Record<never, never>>()((db) =>
  db.selectFrom("tag_policy").select(["pattern", "policy"]).orderBy("pattern"),
);

export const putTagPolicy = query<TagPolicyTable>()((db, arg) =>
  db
    .insertInto("tag_policy")
    .values({ pattern: arg("pattern"), policy: arg("policy"), event: arg("event") })
    .onConflict((conflict) =>
      conflict.column("pattern").doUpdateSet((of) => ({
        policy: of.ref("excluded.policy"),
        event: of.ref("excluded.event"),
      })),
    ),
);

export const deleteTagPolicy = query<{ pattern: string }>()((db, arg) =>
  db.deleteFrom("tag_policy").where("pattern", "=", arg("pattern")),
);

export const tagRequestsOfRun = query<{ run: number }>()((db, arg) =>
  db.selectFrom("tag_request").selectAll().where("run", "=", arg("run")).orderBy("tag"),
);

/** Asked for again: the newer request counts. */
export const putTagRequest = query<TagRequestTable>()((db, arg) =>
  db
    .insertInto("tag_request")
    .values({
      run: arg("run"),
      tag: arg("tag"),
      at: arg("at"),
      actor: arg("actor"),
      host: arg("host"),
      via: arg("via"),
      reason: arg("reason"),
      status: arg("status"),
      why: arg("why"),
    })
    .onConflict((conflict) =>
      conflict.columns(["run", "tag"]).doUpdateSet((of) => ({
        at: of.ref("excluded.at"),
        actor: of.ref("excluded.actor"),
        host: of.ref("excluded.host"),
        via: of.ref("excluded.via"),
        reason: of.ref("excluded.reason"),
        status: of.ref("excluded.status"),
        why: of.ref("excluded.why"),
      })),
    ),
);

export const settleTagRequest = query<{
  run: number;
  tag: string;
  status: TagRequestTable["status"];
  why: string | null;
}>()((db, arg) =>
  db
    .updateTable("tag_request")
    .set({ status: arg("status"), why: arg("why") })
    .where("run", "=", arg("run"))
    .where("tag", "=", arg("tag")),
);

export const deleteTagRequest = query<{ run: number; tag: string }>()((db, arg) =>
  db.deleteFrom("tag_request").where("run", "=", arg("run")).where("tag", "=", arg("tag")),
);
