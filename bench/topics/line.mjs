/** A line of steps: what each costs beside the one synced commit that it needs. */
import path from "node:path";
import { atMost } from "../kit/goal.mjs";
import { runHere, useStoreIn } from "../kit/in-process.mjs";
import { Database, lineStepMs } from "../kit/records.mjs";

const STEPS = 20;

export default function lineTopic() {
  return [
    {
      what: "line of 20 no-op steps",
      repeats: 21,
      warmUps: 25, // As of foreaches: V8 compiles while the first runs go on.
      async open({ folder }) {
        const store = useStoreIn(folder);
        await runHere("line");
        return { store, floor: await openFloor(store, path.join(folder, "floor.db")) };
      },
      sides: {
        async millrace({ store }) {
          await runHere("line");
          return { ms: lineStepMs(store, STEPS) };
        },
        floor: ({ floor }, round) => ({ ms: floor.commitMs(round) }),
      },
      close: ({ floor }) => floor.close(),
      rows: [
        {
          what: "line of 20 no-op steps, a step / a synced commit of the row that it leaves",
          unit: "x",
          goal: atMost(2),
          figure: (one) => one.millrace.ms / one.floor.ms,
          shown: ({ millrace, floor }) => `step ${millrace.ms.toFixed(2)} ms, commit ${floor.ms.toFixed(2)} ms`,
        },
      ],
    },
  ];
}

/**
 * Writes the rows of the run again, each in a transaction of its own, into a copy of the same database: with its
 * indexes and triggers, and with the settings with which Millrace opens it.
 */
async function openFloor(store, file) {
  const source = new Database(path.join(store, "millrace.db"), { readonly: true });
  await source.backup(file);
  source.close();
  const db = new Database(file);
  db.pragma("journal_mode = WAL");
  db.pragma("synchronous = FULL");
  db.pragma("foreign_keys = ON");
  db.pragma("wal_autocheckpoint = 4000");
  const rows = db.prepare("SELECT * FROM task ORDER BY sequence").all();
  const names = Object.keys(rows[0]);
  const insert = db.prepare(`INSERT INTO task (${names}) VALUES (${names.map((name) => `@${name}`)})`);
  const write = db.transaction((row) => insert.run(row));
  return {
    commitMs(round) {
      const begin = performance.now();
      for (const row of rows)
        write.immediate({ ...row, sequence: row.sequence + 1_000 * (round + 1), attempt: round + 2 });
      return (performance.now() - begin) / rows.length;
    },
    close: () => db.close(),
  };
}
