/** What records say of their bucket, for whoever compares the two. Each answer is one snapshot. */
import type { RunStatus } from "../../../events/run-record.ts";
import type { RunId } from "../../../ids/run-id.ts";
import type { BucketSide, PublishedRun } from "../../bucket-audit.ts";
import { readEnd, readStory } from "../bucket-records.ts";
import type { Connection } from "../connection.ts";

const PAGE_RUNS = 500;
const RUN = `SELECT x.id, x.flow_name || '/' || x.number AS name, x.sequence, x.number, x.execution, x.status,
    lower(hex(x.start_digest)) AS start, (SELECT lower(hex(y.end_digest)) FROM execution AS y
      WHERE y.run = x.sequence AND y.number = x.execution) AS ended
  FROM run AS x`;

interface RunRow {
  readonly id: RunId;
  readonly name: string;
  readonly sequence: number;
  readonly number: number;
  readonly execution: number;
  readonly status: RunStatus;
  readonly start: string | null;
  readonly ended: string | null;
}

/** @param ask turns what SQLite throws into errors of the room */
export function bucketSide(db: Connection, ask: <T>(question: () => T) => T): BucketSide {
  return {
    told: async () =>
      ask(() =>
        db.transaction(() => ({
          storeId: db.prepare("SELECT store_id FROM store").pluck().get() as string,
          told: readEnd(db),
          story: readStory(db),
          news: db.prepare("SELECT line FROM bucket_news ORDER BY number").pluck().all() as string[],
        }))(),
      ),
    async *runs() {
      const page = db.prepare(`${RUN} WHERE x.id > ? ORDER BY x.id LIMIT ${PAGE_RUNS}`);
      for (let after = ""; ; ) {
        const rows = ask(() => page.all(after) as RunRow[]);
        if (rows.length > 0) yield rows.map(toRun);
        if (rows.length < PAGE_RUNS) return;
        after = rows.at(-1)!.id;
      }
    },
    async run(id) {
      const row = ask(() => db.prepare(`${RUN} WHERE x.id = ?`).get(id) as RunRow | undefined);
      return row === undefined ? undefined : toRun(row);
    },
    isOwed: async (id) =>
      ask(
        () =>
          db
            .prepare("SELECT 1 FROM bucket_news WHERE line ->> '$.kind' = 'ended' AND line ->> '$.run' = ? LIMIT 1")
            .get(id) !== undefined,
      ),
  };
}

function toRun({ start, ended, ...run }: RunRow): PublishedRun {
  return {
    ...run,
    ...(start === null || start === "" ? {} : { startDigest: start }),
    ...(ended === null || ended === "" ? {} : { endDigest: ended }),
  };
}
