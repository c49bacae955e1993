/**
 * Queries that are written once with Kysely and compiled once for each database, with named arguments instead of values.
 *
 * Kysely takes values where it builds; building and compiling a statement costs some 0.1 ms, several times what SQLite
 * needs to run it. So a query is built a single time with placeholders in place of values, and what is kept is its text
 * and the order in which arguments are bound. The builder is passed in: files that define queries load no Kysely. Loading
 * it takes as long as all else that a short command does, so the build of Millrace compiles them (scripts/compile-queries.mjs),
 * but for shapes that few ask for.
 */
import type { Compilable, Kysely } from "kysely";
import type { Schema } from "./schema.ts";

export type SchemaBuilder = Kysely<Schema>;

/** A query with arguments by name. `Row` is what one row of its answer looks like. */
export interface Query<Args, Row> {
  readonly build: (db: SchemaBuilder, arg: ArgumentOf<Args>) => Compilable<Row>;
  /** Where it was compiled when Millrace was built. */
  readonly compiled?: CompiledQueryText;
}

type ArgumentOf<Args> = <K extends keyof Args & string>(name: K) => Args[K];

/** Defines a query: `query<{ id: string }>()((db, arg) => db.selectFrom("run")…where("id", "=", arg("id")))`. */
export function query<Args>(): <Row>(build: Query<Args, Row>["build"]) => Query<Args, Row> {
  return (build) => ({ build });
}

/** A query for each shape of a question; one compiled statement for each shape. */
export interface ShapedQuery<Shape, Args, Row> {
  (shape: Shape): Query<Args, Row>;
  /** What is asked for most: compiled when Millrace is built. */
  readonly usual: readonly Shape[];
}

/**
 * Defines a query for each shape.
 *
 * @param compiled texts of the usual shapes, by `shapeKey`; passed by the build alone
 */
export function shapedQuery<Shape extends object, Args, Row>(
  usual: readonly Shape[],
  make: (shape: Shape) => Query<Args, Row>["build"],
  compiled: Readonly<Record<string, CompiledQueryText>> = {},
): ShapedQuery<Shape, Args, Row> {
  const query = (shape: Shape): Query<Args, Row> => {
    const known = compiled[shapeKey(shape)];
    return { build: make(shape), ...(known === undefined ? {} : { compiled: known }) };
  };
  return Object.assign(query, { usual });
}

/** Equal for equal shapes, in whatever order they name what they ask for. */
export function shapeKey(shape: object): string {
  return JSON.stringify(Object.entries(shape).sort(([one], [other]) => (one < other ? -1 : 1)));
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

/**
 * Text and binding order of a query.
 *
 * @param db asked for when the query has not been compiled before
 */
export function compileQuery<Args, Row>(db: () => SchemaBuilder, definition: Query<Args, Row>): CompiledQueryText {
  if (definition.compiled !== undefined) return definition.compiled;
  const compiled = definition
    .build(db(), ((name: string) => new Placeholder(name)) as unknown as ArgumentOf<Args>)
    .compile();
  return {
    sql: compiled.sql,
    bindings: compiled.parameters.map((value) =>
      value instanceof Placeholder ? { kind: "argument", name: value.name } : { kind: "constant", value },
    ),
  };
}
