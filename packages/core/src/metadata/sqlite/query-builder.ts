/** Kysely, for queries that the build of Millrace has not compiled: loaded when the first is asked for, without a wait. */
import { createRequire } from "node:module";
import type { SchemaBuilder } from "../sql/query.ts";
import type { Schema } from "../sql/schema.ts";

/** Where the build has put it; absent in sources, which find the package. */
declare const __MILLRACE_KYSELY__: string | undefined;

let builder: SchemaBuilder | undefined;

/** Kysely as a writer of SQLite's dialect only: it has no connection. */
export function queryBuilder(): SchemaBuilder {
  builder ??= makeBuilder();
  return builder;
}

function makeBuilder(): SchemaBuilder {
  const require = createRequire(import.meta.url);
  const { DummyDriver, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } = require(
    typeof __MILLRACE_KYSELY__ === "string" ? __MILLRACE_KYSELY__ : "kysely",
  ) as typeof import("kysely");
  return new Kysely<Schema>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  });
}
