import type { TaskSequence } from "../metadata-store.ts";
import type { FinishedTaskColumns, ReplayableStatus } from "../replay.ts";
import { ofRow } from "../sql/rows.ts";
import { attemptsOfRun } from "../sql/tasks.ts";
import { readColumn } from "../stored-columns.ts";
import type { Statements } from "./statements.ts";

type Row = readonly [
  sequence: number,
  step: string,
  path: string,
  attempt: number,
  status: string,
  fanOut: number | null,
  choice: string | null,
  valueReads: string | null,
];

/**
 * Reads what need not run again. Attempts come in the order of the index (step, path, attempt), so that the newest of
 * each place is the last of its rows: one pass and no subquery.
 */
export function readFinishedTasks(statements: Statements, run: number): FinishedTaskColumns {
  const rows = statements.raw(attemptsOfRun, ["run"]).raw().all(run) as Row[];
  const columns = {
    sequences: [] as TaskSequence[],
    steps: [] as string[],
    paths: [] as string[],
    statuses: [] as ReplayableStatus[],
    fanOuts: [] as (number | undefined)[],
    choices: [] as (string | undefined)[],
    valueReads: [] as (readonly string[] | undefined)[],
  };
  const unfinished: { step: string; path: string; attempt: number }[] = [];
  // Tasks of one step read the same few lists of names, and a step's name is one text for all of its tasks.
  const lists = new Map<string, readonly string[]>();
  let lastStep = "";
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index]!;
    const next = rows[index + 1];
    if (next !== undefined && next[2] === row[2] && next[1] === row[1]) continue; // a newer attempt at the same place
    const [step, path, status] = [row[1] === lastStep ? lastStep : row[1], row[2], row[4]];
    lastStep = step;
    if (!isReplayable(status)) {
      unfinished.push({ step, path, attempt: row[3] });
      continue;
    }
    columns.sequences.push(row[0] as TaskSequence);
    columns.steps.push(step);
    columns.paths.push(path);
    columns.statuses.push(status);
    columns.fanOuts.push(row[5] ?? undefined);
    columns.choices.push(row[6] ?? undefined);
    columns.valueReads.push(
      row[7] === null ? undefined : ofRow({ rowOfRun: run, rowOfTask: row[0] }, () => parsed(lists, row[7]!)),
    );
  }
  return { count: columns.sequences.length, ...columns, unfinished };
}

function isReplayable(status: string): status is ReplayableStatus {
  return status === "succeeded" || status === "caught" || status === "skipped";
}

function parsed(lists: Map<string, readonly string[]>, text: string): readonly string[] {
  let list = lists.get(text);
  if (list === undefined) {
    list = readColumn("task.value_reads", text);
    lists.set(text, list);
  }
  return list;
}
