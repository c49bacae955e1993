/**
 * The statements of a task's reader and of the heartbeat as text, so that their threads load no query builder. A test
 * holds each equal to what Kysely compiles from sql/ (white space apart), so there is still one place where a query is
 * written.
 */
export const readerSql = {
  runById: `
    select "run"."sequence", "run"."id", "run"."flow", "run"."project", "run"."flow_name", "run"."number",
      "run"."status", "run"."created_at", "run"."started_at", "run"."finished_at", "run"."end_task",
      "run"."package_digest", "run"."system_tags", "run"."parameters", "run"."secret_parameters",
      "run"."environment", "run"."failure", "run"."execution", "run"."origin", "run"."origin_facts", "run"."parent"
    from "run" where "run"."id" = ?`,
  currentExecution: `
    select "runner", "started_at", "heartbeat_at" from "execution" where "run" = ? and "number" = ?`,
  tagsOfRun: `select "tag" from "run_tag" where "run" = ? order by "tag"`,
  runValues: `
    select "name", "kind", "codec", "digest", "size_bytes" from "run_value" where "run" = ? order by "name"`,
  upstreamsOfRun: `
    select "run", "name", "flow_project", "flow_name", "selector", "producer", "candidate_count", "candidates",
      "resolved_at"
    from "upstream" where "run" = ? order by "name"`,
  visibleArtifacts: `
    with recursive "chain"("task", "depth") as (
      select "task"."sequence" as "task", 0 as "depth" from "task" where "task"."sequence" = ?
      union all
      select "task"."inherits" as "task", "chain"."depth" + 1 as "depth"
      from "chain" inner join "task" on "task"."sequence" = "chain"."task"
      where "task"."inherits" is not null and "chain"."depth" < 100000
    )
    select "artifact"."name", "artifact"."codec", lower(hex("artifact"."digest")) as "digest", "artifact"."size_bytes",
      null as "reason", null as "gone_at", "chain"."depth"
    from "chain" inner join "artifact" on "artifact"."task" = "chain"."task"
    union all
    select "gone"."name", "gone"."codec", lower(hex("gone"."digest")) as "digest", "gone"."size_bytes",
      "gone"."reason" as "reason",
      "gone"."gone_at" as "gone_at", "chain"."depth"
    from "chain" inner join "gone_artifact" as "gone" on "gone"."task" = "chain"."task" order by "depth"`,
  itemPage: `
    select "split", "first", "count", "codec", "digest", "size_bytes"
    from "item_page" where "split" = ? and "first" <= ? order by "first" desc limit ?`,
  blobByDigest: `
    select "digest", "size_bytes", "stored_bytes", "compression", "stored" from "blob" where "digest" = ?`,
  cacheEntries: `
    select "cache_entry"."task", "task"."run", "cache_entry"."reads", "cache_entry"."created_at",
      "cache_entry"."record_digest", "task"."record_digest" as "task_digest",
      "task"."fan_out", "task"."choice", "run"."flow_name", "run"."number", "task"."step", "task"."path"
    from "cache_entry" inner join "task" on "task"."sequence" = "cache_entry"."task"
      inner join "run" on "run"."sequence" = "task"."run"
    where "cache_entry"."key" = ? and "task"."status" = ? and "task"."run" <> ?
      and not exists (select "name" from "gone_artifact" where "gone_artifact"."task" = "task"."sequence")
    order by "cache_entry"."task" desc limit ?`,
  blobsOfTask: `
    select "blob"."digest", "blob"."compression", "blob"."stored_bytes", "blob"."stored" is not null as "is_inline"
    from "artifact" inner join "blob" on "blob"."digest" = "artifact"."digest" where "artifact"."task" = ?
    union all
    select "blob"."digest", "blob"."compression", "blob"."stored_bytes", "blob"."stored" is not null as "is_inline"
    from "item_page" inner join "blob" on "blob"."digest" = "item_page"."digest" where "item_page"."split" = ?`,
} as const;

export const heartbeatSql = {
  heartbeat: `
    update "execution" set "heartbeat_at" = ? where "run" = ? and "number" = ? and "status" = ?`,
  runStatus: `select "id", "flow", "status", "execution" from "run" where "sequence" = ?`,
} as const;

/** What tasks have set themselves, and what they start from; many at once, as each statement begins a transaction. */
export const leftSql = {
  starts: `
    select "task"."sequence" as "task", "task"."inherits"
    from json_each(@tasks) as "wanted" cross join "task" on "task"."sequence" = "wanted"."value"`,
  artifacts: `
    select "artifact"."task", "artifact"."name", "artifact"."codec", lower(hex("artifact"."digest")) as "digest",
      "artifact"."size_bytes", null as "reason", null as "gone_at"
    from json_each(@tasks) as "wanted" cross join "artifact" on "artifact"."task" = "wanted"."value"
    union all
    select "gone"."task", "gone"."name", "gone"."codec", lower(hex("gone"."digest")) as "digest", "gone"."size_bytes",
      "gone"."reason", "gone"."gone_at"
    from json_each(@tasks) as "wanted" cross join "gone_artifact" as "gone" on "gone"."task" = "wanted"."value"`,
} as const;
