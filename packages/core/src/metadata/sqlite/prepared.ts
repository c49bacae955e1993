/** Statements written as text, prepared once for each connection: a thousand tasks are looked at one by one. */
import type { Statement } from "better-sqlite3";
import type { Connection } from "./connection.ts";

const statementsOf = new WeakMap<Connection, Map<string, Statement<unknown[], unknown>>>();

export function prepared(db: Connection, text: string): Statement<unknown[], unknown> {
  const own = statementsOf.get(db) ?? new Map<string, Statement<unknown[], unknown>>();
  statementsOf.set(db, own);
  const statement = own.get(text) ?? (db.prepare(text) as Statement<unknown[], unknown>);
  own.set(text, statement);
  return statement;
}
