import { initialMigration } from "./0001-initial.ts";

/** All migrations in order: number n (from 1) leads from schema n - 1 to schema n. */
export const migrations: readonly (readonly string[])[] = [initialMigration];

/** The schema that this program writes and reads. */
export const SCHEMA_VERSION = migrations.length;
