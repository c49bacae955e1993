/**
 * The sixth schema: indexes by which lineage is followed in both directions without walking a table. Nothing else
 * changes, so that programs of an older schema go on undisturbed and readers need no views.
 */
export const lineageMigration: readonly string[] = [
  // Who read from a run, or one artifact of it; reads through the client have no row in "upstream".
  `CREATE INDEX upstream_read_by_producer ON upstream_read (producer, artifact)`,
  `CREATE INDEX run_by_origin ON run (origin) WHERE origin IS NOT NULL`,
  // Tasks from the step cache are few among all tasks: both directions have an index that holds them alone.
  `CREATE INDEX task_from_cache ON task (run, origin) WHERE origin_kind = 'cache'`,
  `CREATE INDEX task_by_cache_origin ON task (origin, run) WHERE origin_kind = 'cache'`,
];
