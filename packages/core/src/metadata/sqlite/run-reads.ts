/** Reading runs: by key, by page, with their tags. All functions expect to stand inside a transaction. */

import { FlowError, isFlowError } from "../../errors/flow-error.ts";
import type { RunStatus } from "../../events/run-record.ts";
import type { FlowIdentity } from "../../flow/definition.ts";
import { type Liveness, livenessOf } from "../liveness.ts";
import type { NamedRun, RunQuery, RunRow, RunSequence } from "../metadata-store.ts";
import { currentExecution } from "../sql/executions.ts";
import { type RunRecord, toRunRow } from "../sql/rows.ts";
import * as runs from "../sql/runs.ts";
import * as tags from "../sql/tags.ts";
import { readPlace } from "../stored-json.ts";
import { parameterDigest } from "./parameter-digest.ts";
import type { Statements } from "./statements.ts";

export type FlowName = { readonly project?: string; readonly name: string };

const DEFAULT_LIMIT = 50;
export const MAX_LIMIT = 1_000;

/**
 * A run as it is shown: with its tags and its current execution, and as lost when its runner is. Without `here` nobody
 * judges, and a run is shown as it is stored.
 */
export function withTags(statements: Statements, row: RunRecord, here: Liveness | undefined): RunRow {
  const execution = statements.get(currentExecution, { run: row.sequence, number: row.execution });
  const tagList = statements.all(tags.tagsOfRun, { run: row.sequence }).map(({ tag }) => tag);
  const run = named(row, () => toRunRow(row, tagList, execution));
  if (run.status !== "running" || here === undefined || livenessOf(run.execution, here) === "running") return run;
  return { ...run, status: "lost" };
}

/** A row that cannot be read is told with the name of its run, so that one bad run is not a bad store. */
function named(row: RunRecord, read: () => RunRow): RunRow {
  try {
    return read();
  } catch (error) {
    if (!isFlowError(error, "FLOW_METADATA_CORRUPT")) throw error;
    const name = `${row.flow_name}/${row.number}`;
    throw new FlowError("FLOW_METADATA_CORRUPT", {
      message: `Cannot read ${name} (${row.id}): ${error.message.replace(/^Cannot read the records: /, "")}`,
      hint: `Restore the store from a copy; or delete the run with flow runs delete ${name}, and import an export of it if there is one`,
      context: {
        ...error.context,
        run: name,
        runId: row.id,
        sequence: row.sequence,
        flow: `${row.project}/${row.flow_name}`,
      },
      cause: error,
    });
  }
}

/** Runs as they are shown; those that cannot be read go to `onUnreadable`, where somebody takes them. */
function shown(
  statements: Statements,
  rows: readonly RunRecord[],
  { onUnreadable }: Pick<RunQuery, "onUnreadable">,
  here: Liveness | undefined,
): readonly RunRow[] {
  if (onUnreadable === undefined) return rows.map((row) => withTags(statements, row, here));
  return rows.flatMap((row) => {
    try {
      return [withTags(statements, row, here)];
    } catch (error) {
      if (!isFlowError(error, "FLOW_METADATA_CORRUPT")) throw error;
      onUnreadable(error, row.sequence as RunSequence);
      return [];
    }
  });
}

export function readRun(statements: Statements, sequence: number, here: Liveness | undefined): RunRow | undefined {
  const row = statements.get(runs.runBySequence, { sequence });
  return row === undefined ? undefined : withTags(statements, row, here);
}

/** Whether the runner of a run that is stored as running is dead. */
export function isLost(statements: Statements, sequence: number, here: Liveness | undefined): boolean {
  if (here === undefined || statements.get(runs.runStatus, { sequence })?.status !== "running") return false;
  return readRun(statements, sequence, here)?.status === "lost";
}

/** The flows that go or went by a name: one, unless no project is named and several have such a flow. */
export function flowIds(statements: Statements, flow: FlowName): readonly number[] {
  const rows = statements.all(runs.flowsByName, { name: flow.name });
  const ids = rows.filter((row) => flow.project === undefined || row.project === flow.project).map((row) => row.flow);
  return [...new Set(ids)];
}

export function readRunsByNumber(
  statements: Statements,
  flow: FlowName,
  number: number,
  here: Liveness | undefined,
): readonly RunRow[] {
  return flowIds(statements, flow).flatMap((id) => {
    const rows = statements.all(runs.runsByNumber, { flow: id, number });
    // Two flows that became one may each have a run 1: the one that ran under the name asked for is meant.
    const exact = rows.filter((row) => row.flow_name === flow.name);
    return (exact.length > 0 ? exact : rows).map((row) => withTags(statements, row, here));
  });
}

export function readRuns(statements: Statements, query: RunQuery, here: Liveness | undefined): readonly RunRow[] {
  const limit = checkedLimit(query);
  const pages = storedAs(query, here).map((stored) => readStored(statements, { ...query, ...stored }, limit, here));
  return newest(pages, limit);
}

/** Names of the runs that `readRuns` gives. */
export function readRunNames(statements: Statements, query: RunQuery, here: Liveness | undefined): readonly NamedRun[] {
  const limit = checkedLimit(query);
  // Whether a runner lives is seen from the whole record.
  if (storedAs(query, here).some(({ judged }) => judged !== undefined)) return readRuns(statements, query, here);
  const pages = runFilters(statements, query).map(({ shape, args }) =>
    statements.all(
      statements.shaped(`names ${JSON.stringify(shape)}`, () => runs.runNamePage(shape)),
      { ...args, limit },
    ),
  );
  return newest(pages, limit).map(({ sequence, project, flow_name: name, number }) => ({
    sequence: sequence as RunSequence,
    flow: { project, name },
    number,
  }));
}

export function checkedLimit({ limit = DEFAULT_LIMIT }: RunQuery): number {
  if (Number.isSafeInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw new FlowError("FLOW_METADATA_BAD_ARGUMENT", {
    message: `Cannot read a page of ${limit} runs: it may have 1 to ${MAX_LIMIT}`,
  });
}

export function countRuns(
  statements: Statements,
  query: RunQuery,
  here: Liveness | undefined,
  atMost = Number.POSITIVE_INFINITY,
): number {
  const { before: _, ...rest } = query;
  let count = 0;
  for (const stored of storedAs(rest, here)) {
    for (const filter of runFilters(statements, { ...rest, ...stored })) {
      if (stored.judged === undefined) count += countFound(statements, filter, atMost);
      else count += readJudged(statements, filter, stored.judged, here, atMost).length;
    }
  }
  return Math.min(count, atMost);
}

function countFound(statements: Statements, { shape, args }: RunFilter, atMost: number): number {
  const isBounded = Number.isFinite(atMost);
  const count = statements.shaped(`count ${isBounded} ${JSON.stringify(shape)}`, () =>
    runs.runCount({ ...shape, isBounded }),
  );
  return statements.get(count, isBounded ? { ...args, limit: atMost } : args)!.count;
}

/** What a query for a status means for what is stored; `judged` keeps those rows alone that are shown with that status. */
export interface Stored {
  readonly status?: RunStatus;
  readonly judged?: "running" | "lost";
}

/** Lost runs are stored as running: nobody was left to write it. */
export function storedAs(query: RunQuery, here: Liveness | undefined): readonly Stored[] {
  if (here === undefined || (query.status !== "running" && query.status !== "lost")) return [{}];
  const judged: Stored = { status: "running", judged: query.status };
  return query.status === "running" ? [judged] : [judged, { status: "lost" }];
}

function readStored(
  statements: Statements,
  query: RunQuery & Stored,
  limit: number,
  here: Liveness | undefined,
): readonly RunRow[] {
  const pages = runFilters(statements, query).map((filter) =>
    query.judged === undefined
      ? shown(statements, readPage(statements, filter, limit), query, here)
      : readJudged(statements, filter, query.judged, here, limit),
  );
  return newest(pages, limit);
}

/** Goes through the runs that are stored as running, page by page, for those whose runner lives, or does not. */
function readJudged(
  statements: Statements,
  filter: RunFilter,
  judged: "running" | "lost",
  here: Liveness | undefined,
  limit = Number.POSITIVE_INFINITY,
): readonly RunRow[] {
  const found: RunRow[] = [];
  let { shape, args } = filter;
  for (;;) {
    const page = readPage(statements, { shape, args }, MAX_LIMIT);
    for (const row of page) {
      const run = withTags(statements, row, here);
      if (run.status === judged && found.push(run) === limit) return found;
    }
    if (page.length < MAX_LIMIT) return found;
    shape = { ...shape, before: true };
    args = { ...args, before: readPlace(page.at(-1)!.sequence, "run.sequence") };
  }
}

function readPage(statements: Statements, { shape, args }: RunFilter, limit: number): readonly RunRecord[] {
  return statements.all(
    statements.shaped(`runs ${JSON.stringify(shape)}`, () => runs.runPage(shape)),
    { ...args, limit },
  );
}

/** Several flows of one name, or several statuses: a page of each holds the page of all. */
function newest<T extends { readonly sequence: number }>(
  pages: readonly (readonly T[])[],
  limit: number,
): readonly T[] {
  if (pages.length === 1) return pages[0]!;
  return pages
    .flat()
    .sort((left, right) => right.sequence - left.sequence)
    .slice(0, limit);
}

export function readFlows(
  statements: Statements,
): readonly { readonly flow: FlowIdentity; readonly runs: number; readonly newest: number }[] {
  return statements
    .all(runs.flows, {})
    .map((row) => ({ flow: { project: row.project, name: row.name }, runs: row.run_count, newest: row.newest_run }));
}

export interface RunFilter {
  readonly shape: runs.RunPageShape;
  readonly args: runs.RunPageArguments;
}

/** A query as one filter for each flow that is meant, or a single one for all flows. */
export function runFilters(statements: Statements, query: RunQuery): readonly RunFilter[] {
  const flowList = query.flow === undefined ? everyFlow(statements, query) : flowIds(statements, query.flow);
  const tagList = rarestFirst(statements, [...new Set(query.tags ?? [])], query, flowList);
  const parameters = Object.entries(query.parameters ?? {});
  const conditions = query.metrics ?? [];
  const shape = {
    flow: flowList !== undefined,
    status: query.status !== undefined,
    tags: tagList.length,
    parameters: parameters.length,
    metrics: conditions.map(({ is }) => is),
    before: query.before !== undefined,
  };
  const args: Record<string, unknown> = { status: query.status, before: query.before };
  for (const [index, tag] of tagList.entries()) args[`tag${index}`] = tag;
  for (const [index, [name, value]] of parameters.entries()) {
    args[`parameter${index}`] = name;
    args[`value${index}`] = parameterDigest(name, value);
  }
  for (const [index, { metric, value }] of conditions.entries()) {
    args[`metric${index}`] = metric;
    args[`bound${index}`] = value;
  }
  const filter = (flow: number | undefined): RunFilter => ({
    shape,
    args: { ...args, flow } as unknown as runs.RunPageArguments,
  });
  return flowList === undefined ? [filter(undefined)] : flowList.map(filter);
}

/** With more flows than this, a tag and a status are looked for in all runs that hold the tag. */
const MAX_FLOWS = 100;

/** The index of tags has the flow before the status: flow by flow, neither the tag's runs nor those of the status are gone through. */
function everyFlow(statements: Statements, { tags: tagList = [], status }: RunQuery): readonly number[] | undefined {
  if (tagList.length === 0 || status === undefined) return undefined;
  const all = statements.all(runs.flows, {});
  return all.length > MAX_FLOWS ? undefined : all.map(({ id }) => id);
}

/** Up to so many runs of a tag are counted to see which of several tags the fewest hold. */
const MAX_COMPARED = 1_000;

/** The tag that leads is gone through run by run, and the others are looked up: the rarest one leads. */
function rarestFirst(
  statements: Statements,
  tagList: readonly string[],
  { status }: RunQuery,
  flowList: readonly number[] | undefined,
): readonly string[] {
  if (tagList.length < 2) return tagList;
  const shape = {
    flow: flowList !== undefined,
    status: status !== undefined,
    tags: 1,
    parameters: 0,
    metrics: [],
    before: false,
  };
  const holders = (tag: string): number => {
    let count = 0;
    for (const flow of flowList ?? [0]) {
      const args = { flow, status, tag0: tag } as unknown as runs.RunPageArguments;
      count += countFound(statements, { shape, args }, MAX_COMPARED);
    }
    return count;
  };
  return tagList
    .map((tag) => [holders(tag), tag] as const)
    .sort(([left], [right]) => left - right)
    .map(([, tag]) => tag);
}
