/** Queries about runs that were deleted, and about artifacts that are not kept for ever. */
import { query } from "./query.ts";
import type { ArtifactTermTable } from "./schema.ts";

const deletedColumns = [
  "id",
  "project",
  "flow_name",
  "number",
  "status",
  "created_at",
  "deleted_at",
  "actor",
  "host",
  "via",
  "reason",
] as const;

/** A run that was imported again and deleted again has had several numbers: the last one. */
export const deletedRunById = query<{ id: string }>()((db, arg) =>
  db.selectFrom("deleted_run").select(deletedColumns).where("id", "=", arg("id")).orderBy("number", "desc").limit(1),
);

export const deletedRunsByNumber = query<{ flow: number; number: number }>()((db, arg) =>
  db
    .selectFrom("deleted_run")
    .select(deletedColumns)
    .where("flow", "=", arg("flow"))
    .where("number", "=", arg("number"))
    .orderBy("sequence"),
);

export const moveDeletedRuns = query<{ from: number; to: number }>()((db, arg) =>
  db
    .updateTable("deleted_run")
    .set({ flow: arg("to") })
    .where("flow", "=", arg("from")),
);

export const insertArtifactTerm = query<ArtifactTermTable>()((db, arg) =>
  db.insertInto("artifact_term").values({
    run: arg("run"),
    task: arg("task"),
    name: arg("name"),
    transient: arg("transient"),
    expires_at: arg("expires_at"),
  }),
);

/** A task that has the outcome of another one keeps it for as long. */
export const copyArtifactTerms = query<{ run: number; task: number; fromRun: number; from: number }>()((db, arg) =>
  db
    .insertInto("artifact_term")
    .columns(["run", "task", "name", "transient", "expires_at"])
    .expression((of) =>
      of
        .selectFrom("artifact_term")
        .select((row) => [
          row.val(arg("run")).as("run"),
          row.val(arg("task")).as("task"),
          "name",
          "transient",
          "expires_at",
        ])
        .where("run", "=", arg("fromRun"))
        .where("task", "=", arg("from")),
    ),
);

export const hasGoneArtifacts = query<{ task: number }>()((db, arg) =>
  db.selectFrom("gone_artifact").select("name").where("task", "=", arg("task")).limit(1),
);
