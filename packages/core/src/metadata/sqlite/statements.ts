/**
 * Queries of sql/ as prepared statements of one connection. Each is built, compiled and prepared when it is first used,
 * and then kept: running it again costs what SQLite needs.
 */
import type { Statement } from "better-sqlite3";
import { FlowError } from "../../errors/flow-error.ts";
import { type Binding, type CompiledQueryText, compileQuery, type Query } from "../sql/query.ts";
import type { Connection } from "./connection.ts";
import { queryBuilder } from "./query-builder.ts";

/** Text and binding order of a query in SQLite's dialect. */
export function compileForSqlite<Args, Row>(definition: Query<Args, Row>): CompiledQueryText {
  return compileQuery(queryBuilder, definition);
}

interface Prepared {
  readonly statement: Statement<unknown[], unknown>;
  readonly bindings: readonly Binding[];
}

/** Shapes of queries come from callers (so many tags, so many parameters): what is kept of them has a bound. */
const MAX_SHAPES = 200;

export class Statements {
  readonly #db: Connection;
  readonly #prepared = new Map<Query<never, unknown>, Prepared>();
  readonly #shapes = new Map<string, Query<never, unknown>>();

  constructor(db: Connection) {
    this.#db = db;
  }

  get<Args, Row>(definition: Query<Args, Row>, args: Args): Row | undefined {
    const prepared = this.#prepare(definition);
    return prepared.statement.get(...bind(prepared.bindings, args)) as Row | undefined;
  }

  all<Args, Row>(definition: Query<Args, Row>, args: Args): readonly Row[] {
    const prepared = this.#prepare(definition);
    return prepared.statement.all(...bind(prepared.bindings, args)) as Row[];
  }

  /** Runs a write and answers how many rows it changed. */
  run<Args, Row>(definition: Query<Args, Row>, args: Args): number {
    const prepared = this.#prepare(definition);
    return prepared.statement.run(...bind(prepared.bindings, args)).changes;
  }

  /**
   * The bare statement of a query, for paths that run it thousands of times: arguments go in by position, in the order
   * named here, which must be that of the query (constants bind themselves only in the other methods).
   */
  raw<Args, Row>(definition: Query<Args, Row>, order: readonly (keyof Args & string)[]): Statement<unknown[], unknown> {
    const { statement, bindings } = this.#prepare(definition);
    const names = bindings.map((binding) =>
      binding.kind === "argument" ? binding.name : `constant ${String(binding.value)}`,
    );
    if (names.join() !== order.join()) {
      throw new FlowError("FLOW_INTERNAL", {
        message: `A statement binds ${names.join(", ")} and was asked for ${order.join(", ")}`,
      });
    }
    return statement;
  }

  /**
   * As `raw`, for an insertion of one row: a statement that inserts `count` of them, with the arguments of one after those of the
   * other. The caller keeps it.
   */
  rawRows<Args, Row>(
    definition: Query<Args, Row>,
    order: readonly (keyof Args & string)[],
    count: number,
  ): Statement<unknown[], unknown> {
    this.raw(definition, order);
    const { sql } = compileForSqlite(definition);
    const row = / values (\([?, ]+\))/.exec(sql)?.[1];
    if (row === undefined)
      throw new FlowError("FLOW_INTERNAL", { message: `A statement inserts no single row: ${sql}` });
    return this.#db.prepare(sql.replace(row, () => Array.from({ length: count }, () => row).join(", ")));
  }

  /** The query of a shape, built once: `shape` must tell apart all queries that `make` gives. */
  shaped<Args, Row>(shape: string, make: () => Query<Args, Row>): Query<Args, Row> {
    const known = this.#shapes.get(shape);
    if (known !== undefined) return known as unknown as Query<Args, Row>;
    if (this.#shapes.size >= MAX_SHAPES) this.#forgetShapes();
    const made = make();
    this.#shapes.set(shape, made as unknown as Query<never, unknown>);
    return made;
  }

  #forgetShapes(): void {
    for (const definition of this.#shapes.values()) this.#prepared.delete(definition);
    this.#shapes.clear();
  }

  #prepare<Args, Row>(definition: Query<Args, Row>): Prepared {
    const key = definition as unknown as Query<never, unknown>;
    const known = this.#prepared.get(key);
    if (known !== undefined) return known;
    const { sql, bindings } = compileForSqlite(definition);
    const prepared = { statement: this.#db.prepare(sql) as Statement<unknown[], unknown>, bindings };
    this.#prepared.set(key, prepared);
    return prepared;
  }
}

function bind<Args>(bindings: readonly Binding[], args: Args): unknown[] {
  return bindings.map((binding) =>
    binding.kind === "constant" ? binding.value : (args as Readonly<Record<string, unknown>>)[binding.name],
  );
}
