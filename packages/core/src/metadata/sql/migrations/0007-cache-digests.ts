/**
 * The seventh schema: an entry of the step cache has a digest that ties it to what its task left (docs/adr/0039). Null in
 * entries of programs of an older schema.
 */
export const cacheDigestsMigration: readonly string[] = [`ALTER TABLE cache_entry ADD COLUMN record_digest BLOB`];

/** Shows a store without these digests as one of this schema, for readers that may not change it. */
export const withoutCacheDigests: readonly string[] = [
  `CREATE TEMP VIEW cache_entry AS SELECT *, NULL AS record_digest FROM main.cache_entry`,
];

/** The same for a store that has no step cache: what is read in its place is a table of this connection. */
export const withoutCache: readonly string[] = [`ALTER TABLE temp.cache_entry ADD COLUMN record_digest`];
