/** Reading runs: by key, by page, with their tags. All functions expect to stand inside a transaction. */

import { FlowError } from "../../errors/flow-error.ts";
import type { FlowIdentity } from "../../flow/definition.ts";
import type { RunQuery, RunRow } from "../metadata-store.ts";
import { type RunRecord, toRunRow } from "../sql/rows.ts";
import * as runs from "../sql/runs.ts";
import * as tags from "../sql/tags.ts";
import { parameterDigest } from "./parameter-digest.ts";
import type { Statements } from "./statements.ts";

export type FlowName = { readonly project?: string; readonly name: string };

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 1_000;

export function withTags(statements: Statements, row: RunRecord): RunRow {
  return toRunRow(
    row,
    statements.all(tags.tagsOfRun, { run: row.sequence }).map(({ tag }) => tag),
  );
}

export function readRun(statements: Statements, sequence: number): RunRow | undefined {
  const row = statements.get(runs.runBySequence, { sequence });
  return row === undefined ? undefined : withTags(statements, row);
}

/** The flows that go or went by a name: one, unless no project is named and several have such a flow. */
export function flowIds(statements: Statements, flow: FlowName): readonly number[] {
  const rows = statements.all(runs.flowsByName, { name: flow.name });
  const ids = rows.filter((row) => flow.project === undefined || row.project === flow.project).map((row) => row.flow);
  return [...new Set(ids)];
}

export function readRunsByNumber(statements: Statements, flow: FlowName, number: number): readonly RunRow[] {
  return flowIds(statements, flow).flatMap((id) => {
    const rows = statements.all(runs.runsByNumber, { flow: id, number });
    // Two flows that became one may each have a run 1: the one that ran under the name asked for is meant.
    const exact = rows.filter((row) => row.flow_name === flow.name);
    return (exact.length > 0 ? exact : rows).map((row) => withTags(statements, row));
  });
}

export function readRuns(statements: Statements, query: RunQuery): readonly RunRow[] {
  const limit = query.limit ?? DEFAULT_LIMIT;
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > MAX_LIMIT) {
    throw new FlowError("FLOW_METADATA_BAD_ARGUMENT", {
      message: `Cannot read a page of ${limit} runs: it may have 1 to ${MAX_LIMIT}`,
    });
  }
  const pages = runFilters(statements, query).map(({ shape, args }) =>
    statements.all(
      statements.shaped(`runs ${JSON.stringify(shape)}`, () => runs.runPage(shape)),
      { ...args, limit },
    ),
  );
  // Several flows of one name: a page of each holds the page of all.
  const rows =
    pages.length === 1
      ? pages[0]!
      : pages
          .flat()
          .sort((left, right) => right.sequence - left.sequence)
          .slice(0, limit);
  return rows.map((row) => withTags(statements, row));
}

export function countRuns(statements: Statements, query: RunQuery): number {
  const { before: _, ...rest } = query;
  let count = 0;
  for (const { shape, args } of runFilters(statements, rest)) {
    count += statements.get(
      statements.shaped(`count ${JSON.stringify(shape)}`, () => runs.runCount(shape)),
      args,
    )!.count;
  }
  return count;
}

export function readFlows(
  statements: Statements,
): readonly { readonly flow: FlowIdentity; readonly runs: number; readonly newest: number }[] {
  return statements
    .all(runs.flows, {})
    .map((row) => ({ flow: { project: row.project, name: row.name }, runs: row.run_count, newest: row.newest_run }));
}

interface RunFilter {
  readonly shape: runs.RunPageShape;
  readonly args: runs.RunPageArguments;
}

/** A query as one filter for each flow that is meant, or a single one for all flows. */
function runFilters(statements: Statements, query: RunQuery): readonly RunFilter[] {
  const tagList = [...new Set(query.tags ?? [])];
  const parameters = Object.entries(query.parameters ?? {});
  const shape = {
    flow: query.flow !== undefined,
    status: query.status !== undefined,
    tags: tagList.length,
    parameters: parameters.length,
    before: query.before !== undefined,
  };
  const args: Record<string, unknown> = { status: query.status, before: query.before };
  for (const [index, tag] of tagList.entries()) args[`tag${index}`] = tag;
  for (const [index, [name, value]] of parameters.entries()) {
    args[`parameter${index}`] = name;
    args[`value${index}`] = parameterDigest(name, value);
  }
  const filter = (flow: number | undefined): RunFilter => ({
    shape,
    args: { ...args, flow } as unknown as runs.RunPageArguments,
  });
  return query.flow === undefined ? [filter(undefined)] : flowIds(statements, query.flow).map(filter);
}
