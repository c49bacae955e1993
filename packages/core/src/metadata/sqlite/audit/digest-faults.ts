/** What does not fit to the digests that were written with it: tasks and runs, in windows, each in one snapshot. */
import type { RecordFault, Remedy } from "../../record-audit.ts";
import { CACHE_DIGEST_SCHEMA, wrongCacheEntries } from "../cache-faults.ts";
import type { Connection } from "../connection.ts";
import { runMismatches, runsOf, sayMismatch } from "../record-faults.ts";
import { type RecordMismatch, taskMismatches } from "../task-faults.ts";
import type { RowNames } from "./row-names.ts";

/** Runs that one read looks at, each with all of its tasks. */
const WINDOW_RUNS = 20;

export interface WindowedInput {
  /** Asks; a page that cannot be read is a fault of its own. */
  readonly guarded: (place: string, ask: () => readonly RecordFault[]) => readonly RecordFault[];
  /** Tasks that one read looks at. */
  readonly windowRows: number;
  /** Of the store. */
  readonly schemaVersion: number;
  /** Faults that are told one by one; what is behind them is counted. */
  readonly maxFaults: number;
}

export async function* digestFaults(
  db: Connection,
  names: RowNames,
  input: WindowedInput,
): AsyncGenerator<RecordFault> {
  const { maxFaults } = input;
  let told = 0;
  for (const faults of windows(db, names, input)) {
    for (const fault of faults) if (told++ < maxFaults) yield fault;
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (told <= maxFaults) return;
  yield {
    check: "S11",
    kind: "damage",
    evidence: `${told - maxFaults} further runs and tasks have the same fault`,
    subject: {},
    remedy: "copy",
  };
}

function* windows(
  db: Connection,
  names: RowNames,
  { guarded, windowRows, schemaVersion }: WindowedInput,
): Generator<readonly RecordFault[]> {
  const looks = {
    task: (after: number, upTo: number) => [
      ...taskMismatches(db, { after, upTo }).map((mismatch) => toFault(names, mismatch, "copy")),
      ...(schemaVersion >= CACHE_DIGEST_SCHEMA ? wrongCacheEntries(db, { after, upTo }) : []).map(({ run, task }) =>
        toFault(names, { run, task, table: "cache_entry", evidence: WRONG_ENTRY }, "repair"),
      ),
    ],
    run: (after: number, upTo: number) =>
      runsOf(db, after, upTo)
        .flatMap((run) => runMismatches(db, run))
        .map((mismatch) => toFault(names, mismatch, "copy")),
  };
  for (const table of ["task", "run"] as const) {
    const end = `SELECT sequence FROM ${table} WHERE sequence > ? ORDER BY sequence LIMIT 1 OFFSET ?`;
    let next: number | undefined = Number.MIN_SAFE_INTEGER;
    while (next !== undefined) {
      const after: number = next;
      next = undefined;
      yield guarded(`the table ${table}`, () =>
        db
          .transaction(() => {
            next = db
              .prepare(end)
              .pluck()
              .get(after, table === "task" ? windowRows : WINDOW_RUNS) as number | undefined;
            return looks[table](after, next ?? Number.MAX_SAFE_INTEGER);
          })
          .deferred(),
      );
    }
  }
}

const WRONG_ENTRY = "the step cache offers {task} for something else than what it was made from";

function toFault(names: RowNames, mismatch: RecordMismatch, remedy: Remedy): RecordFault {
  const { run, task, artifact, table } = mismatch;
  return {
    check: "S11",
    kind: "damage",
    evidence: sayMismatch(names, mismatch),
    subject: {
      run: names.run(run),
      ...(task === undefined ? {} : { task: names.task(task) }),
      ...(artifact === undefined ? {} : { artifact }),
      table,
    },
    remedy,
  };
}
