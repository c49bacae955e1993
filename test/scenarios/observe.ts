/**
 * Two observers of one run that must agree: the client API inside the test's process, and the command in its own. What
 * both see is given back, so that a test states its expectations once.
 */

import { fullRunName, type TaskRow } from "@millrace/core/internal";
import { expect } from "vitest";
import type { Project, Watched } from "../kit/project.ts";

export interface Observed {
  /** Name of the run: `Train/17`. */
  readonly name: string;
  /** Values that the end left behind, with parameters and constants, by name. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly digests: Readonly<Record<string, string>>;
  /** Tasks as `step` or `step/path`, in the order in which they were first begun. */
  readonly tasks: readonly string[];
  readonly rows: readonly TaskRow[];
}

/** Looks at a finished run in both ways and compares. */
export async function observe(project: Project, watched: Watched): Promise<Observed> {
  if (watched.record === undefined) throw watched.error;
  const { record } = watched;
  const name: string = record.run;
  const [show, dump, runs, stores, client] = await Promise.all([
    project.flow(["show", name, "--json"]),
    project.flow(["dump", name, "--json"]),
    project.flow(["runs", record.flow.name, "--json"]),
    project.stores(),
    project.client(),
  ]);
  expect([show.stderr, show.lines]).toEqual(["", [record]]);
  expect(runs.lines.find((line) => line.run === name)).toMatchObject({
    id: record.id,
    status: record.status,
    tags: record.tags,
  });

  const handle = await client.run(record.id);
  const full = fullRunName((await stores.metadata.runById(record.id))!);
  expect({ id: handle.id, flow: handle.flow, status: handle.status, tags: handle.tags }).toEqual({
    id: record.id,
    flow: full.slice(0, full.lastIndexOf("/")),
    status: record.status,
    tags: record.tags,
  });
  const values: Record<string, unknown> = {};
  const digests: Record<string, string> = {};
  for (const artifact of record.artifacts) {
    values[artifact.name] = await (handle.data as Readonly<Record<string, Promise<unknown>>>)[artifact.name];
    digests[artifact.name] = artifact.digest;
  }
  expect([dump.stderr, byName(dump.lines.map((line) => [line.name, line.digest]))]).toEqual([
    "",
    byName(Object.entries(digests)),
  ]);
  for (const line of dump.lines) {
    if (line.notInJson === undefined) expect([line.name, line.value]).toEqual([line.name, values[line.name] ?? null]);
  }

  const attempts = await tasksOf(project, record.id);
  // The newest attempt at a task is what the task is.
  const rows = [...new Map(attempts.map((row) => [taskOf(row), row])).values()];
  const counts = Object.groupBy(rows, (row) => row.status);
  const cached = rows.filter(({ origin }) => origin?.kind === "cache").length;
  expect(record.tasks).toEqual({
    ...(cached === 0 ? {} : { cached }),
    total: rows.length,
    attempts: attempts.length,
    byStatus: Object.fromEntries(Object.entries(counts).map(([status, tasks]) => [status, tasks.length])),
  });
  return { name, values, digests, rows, tasks: rows.map(taskOf) };
}

/** All tasks of a run, by their numbers. */
export async function tasksOf(project: Project, id: string): Promise<readonly TaskRow[]> {
  const { metadata } = await project.stores();
  const run = (await metadata.runById(id as never))!;
  const tasks: TaskRow[] = [];
  for (let page: readonly TaskRow[] | undefined; page === undefined || page.length > 0; tasks.push(...page)) {
    const last = tasks.at(-1);
    page = await metadata.tasks({
      run: run.sequence,
      limit: 1_000,
      ...(last === undefined ? {} : { after: last.sequence }),
    });
  }
  return tasks;
}

export function taskOf(row: TaskRow): string {
  return row.path === "" ? row.step : `${row.step}/${row.path}`;
}

function byName(pairs: readonly (readonly [string, unknown])[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(pairs);
}

/** The text of a flow file: imports, helpers that hold a step until another one is done, and the class. */
export function flowText(name: string, body: string, before = ""): string {
  return `import { existsSync, writeFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { artifact, choose, config, current, Flow, includeFile, join, param, step, storable, upstream, z, type Inputs, type TaskFailure } from "@millrace/core";
const done = (name: string) => writeFileSync(new URL(name + ".done", import.meta.url), "");
const until = async (name: string) => { while (!existsSync(new URL(name + ".done", import.meta.url))) await wait(2); };
${before}
export default class ${name} extends Flow {
${body}
}
`;
}
