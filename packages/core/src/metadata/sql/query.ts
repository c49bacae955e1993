/**
 * Queries that are written once with Kysely and compiled once for each database, with named arguments instead of values.
 *
 * Kysely takes values where it builds; building and compiling a statement costs some 0.1 ms, several times what SQLite
 * needs to run it. So a query is built a single time with placeholders in place of values, and what is kept is its text
 * and the order in which arguments are bound. The builder is passed in: files that define queries load no Kysely.
 */
import type { Compilable, Kysely } from "kysely";
import type { Schema } from "./schema.ts";

export type SchemaBuilder = Kysely<Schema>;

/** A query with arguments by name. `Row` is what one row of its answer looks like. */
export interface Query<Args, Row> {
  readonly build: (db: SchemaBuilder, arg: ArgumentOf<Args>) => Compilable<Row>;
}

type ArgumentOf<Args> = <K extends keyof Args & string>(name: K) => Args[K];

/** Defines a query: `query<{ id: string }>()((db, arg) => db.selectFrom("run")…where("id", "=", arg("id")))`. */
export function query<Args>(): <Row>(build: Query<Args, Row>["build"]) => Query<Args, Row> {
  return (build) => ({ build });
}

export interface CompiledQueryText {
  readonly sql: string;
  /** What is bound, in order: the name of an argument, or a constant of the query. */
  readonly bindings: readonly Binding[];
}

export type Binding =
  | { readonly kind: "argument"; readonly name: string }
  | { readonly kind: "constant"; readonly value: unknown };

class Placeholder {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** Text and binding order of a query. */
export function compileQuery<Args, Row>(db: SchemaBuilder, definition: Query<Args, Row>): CompiledQueryText {
  const compiled = definition
    .build(db, ((name: string) => new Placeholder(name)) as unknown as ArgumentOf<Args>)
    .compile();
  return {
    sql: compiled.sql,
    bindings: compiled.parameters.map((value) =>
      value instanceof Placeholder ? { kind: "argument", name: value.name } : { kind: "constant", value },
    ),
  };
}
