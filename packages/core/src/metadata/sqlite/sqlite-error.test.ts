import Database from "better-sqlite3";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FlowError } from "../../errors/flow-error.ts";
import { metadataError } from "./sqlite-error.ts";

let db: Database.Database;

beforeEach(() => {
  db = new Database(":memory:");
  db.exec("CREATE TABLE t (x INTEGER PRIMARY KEY, y TEXT NOT NULL) STRICT");
});

afterEach(() => {
  db.close();
});

/** What SQLite itself throws for a statement, as an error of ours. */
function errorOf(statement: string): unknown {
  try {
    db.exec(statement);
  } catch (error) {
    return metadataError("Cannot record", "/store/millrace.db", error);
  }
  throw new Error("the statement was to fail");
}

test.each([
  ["INSERT INTO t VALUES (1, 'a'), (1, 'b')", "FLOW_METADATA_CONFLICT"],
  ["INSERT INTO t VALUES (1, NULL)", "FLOW_METADATA_BAD_ARGUMENT"],
  ["INSERT INTO t VALUES ('one', 'a')", "FLOW_METADATA_BAD_ARGUMENT"],
  ["PRAGMA max_page_count = 3; INSERT INTO t VALUES (1, hex(zeroblob(100000)))", "FLOW_METADATA_FULL"],
  ["PRAGMA query_only = 1; INSERT INTO t VALUES (1, 'a')", "FLOW_METADATA_READ_ONLY"],
  ["SELECT * FROM missing", "FLOW_METADATA_UNAVAILABLE"],
])("%s is %s, with the action and the file", (statement, code) => {
  expect(errorOf(statement)).toMatchObject({
    code,
    message: expect.stringMatching(/^Cannot record in "\/store\/millrace\.db": .+ \((ENOSPC, )?SQLITE_\w+\)$/),
    context: { path: "/store/millrace.db" },
  });
});

test("errors that are ours, or not SQLite's, stay as they are", () => {
  const ours = new FlowError("FLOW_METADATA_NO_RUN", { message: "x" });
  const other = new TypeError("x");
  expect(metadataError("a", "b", ours)).toBe(ours);
  expect(metadataError("a", "b", other)).toBe(other);
});
