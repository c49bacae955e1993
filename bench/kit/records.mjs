/** What a store has recorded, read beside Millrace: rates are those of the records, not those of whoever watches. */
import { createRequire } from "node:module";
import path from "node:path";
import { root } from "./places.mjs";

const require = createRequire(path.join(root, "packages/core/package.json"));

/** The SQLite library that Millrace uses. */
export const Database = require("better-sqlite3");

/** Asks the records of a store something. */
export function ask(store, question) {
  const db = new Database(path.join(store, "millrace.db"), { readonly: true });
  try {
    return question(db);
  } finally {
    db.close();
  }
}

/** Tasks a second of the newest run's foreach: from the commit of its split to the start of its join. */
export function foreachRate(store, width) {
  return ask(store, (db) => {
    const { run } = db.prepare("SELECT max(sequence) AS run FROM run").get();
    const split = db.prepare("SELECT finished_at FROM task WHERE run = ? AND step = 'start'").get(run);
    const join = db.prepare("SELECT started_at FROM task WHERE run = ? AND step = 'end'").get(run);
    return width / ((join.started_at - split.finished_at) / 1_000);
  });
}

/** Milliseconds a step of the newest run, a line: from the commit of its first step to that of its last. */
export function lineStepMs(store, steps) {
  return ask(store, (db) => {
    const { first, last } = db
      .prepare(
        "SELECT min(finished_at) AS first, max(finished_at) AS last FROM task WHERE run = (SELECT max(sequence) FROM run)",
      )
      .get();
    return (last - first) / (steps - 1);
  });
}
