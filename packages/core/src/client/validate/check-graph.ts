/**
 * V00: the tasks of a run form the whole graph. What each finished task led to must be there and have succeeded: the next
 * steps, the chosen case, one task for each item of a foreach. The graph comes from the definition that is stored with
 * the code package; without it, what the tasks say about each other is checked alone. And the records of the run are those
 * that it wrote, as far as digests were written with them.
 */
import type { FlowDefinition } from "../../flow/definition.ts";
import { childPath, roundPath, type TaskPath } from "../../ids/task-path.ts";
import { describeStatus } from "../../lineage/near-misses.ts";
import { runName } from "../../lineage/run-name.ts";
import { type TaskPlace, taskPlaces } from "../../lineage/task-places.ts";
import type { MetadataReader, RunRow, TaskRow, TaskSequence } from "../../metadata/metadata-store.ts";
import { listTasks } from "../list-tasks.ts";
import { taskName } from "../task-name.ts";
import { isComplete } from "../task-status.ts";
import type { CheckSink } from "./report.ts";

/** How many broken places are named: the first ones say what happened. */
const MAX_NAMED = 5;
/** Endings that count as a success for what follows, and are said beside it. */
const OTHER_ENDINGS = ["caught", "skipped"] as const;

export async function checkTasks(
  metadata: MetadataReader,
  run: RunRow,
  definition: FlowDefinition | undefined,
  sink: CheckSink,
): Promise<void> {
  if (run.status !== "succeeded") {
    sink.add("V00", "fail", `${runName(run)} ${describeStatus(run.status)}: it has no result to rely on`);
    return;
  }
  const tasks = new TaskTable();
  for await (const task of listTasks(metadata, run)) tasks.add(task);

  const faults: string[] = [];
  const end = run.endTask === undefined ? undefined : tasks.bySequence(run.endTask);
  if (end === undefined) faults.push("no end task is recorded");
  else if (!isComplete(end)) faults.push(`the end task ${taskName(run, end)} ${describeStatus(end.status)}`);
  for (const task of tasks.latest()) {
    if (!isComplete(task)) faults.push(`${taskName(run, task)} ${describeStatus(task.status)}`);
    const parent = task.inherits === undefined ? undefined : tasks.bySequence(task.inherits);
    if (task.inherits !== undefined && parent === undefined)
      faults.push(`${taskName(run, task)} starts from a task that is not recorded`);
    if (parent !== undefined && !isComplete(parent))
      faults.push(
        `${taskName(run, task)} starts from ${taskName(run, parent)}, which ${describeStatus(parent.status)}`,
      );
  }
  faults.push(...(definition === undefined ? missingItems(run, tasks) : missingTasks(run, tasks, definition)));
  // Rows that are not what the run wrote: pages of items, and all that a digest was written over.
  faults.push(...(await metadata.recordFaults(run.sequence)));
  if (faults.length > 0) {
    const more = faults.length > MAX_NAMED ? `; and ${faults.length - MAX_NAMED} more` : "";
    sink.add("V00", "fail", `${runName(run)} is not whole: ${faults.slice(0, MAX_NAMED).join("; ")}${more}`);
    return;
  }
  const by = definition === undefined ? "by what the tasks record of each other" : "along the recorded graph";
  const others = OTHER_ENDINGS.flatMap((status) => {
    const count = [...tasks.latest()].filter((task) => task.status === status).length;
    return count === 0 ? [] : [`${count} ${status}`];
  });
  const how = others.length === 0 ? "succeeded" : `succeeded (${others.join(", ")})`;
  sink.add("V00", "pass", `all ${tasks.size} tasks of ${runName(run)} ${how}, from start to ${end!.step}, ${by}`);
}

/** Tasks by place; of several attempts at one place, the newest is what the task is: a failed older one is no fault. */
class TaskTable {
  readonly #bySequence = new Map<TaskSequence, TaskRow>();
  readonly #byPlace = new Map<string, TaskRow>();

  get size(): number {
    return this.#byPlace.size;
  }

  add(task: TaskRow): void {
    this.#bySequence.set(task.sequence, task);
    const place = `${task.step}/${task.path}`;
    const earlier = this.#byPlace.get(place);
    if (earlier === undefined || earlier.attempt < task.attempt) this.#byPlace.set(place, task);
  }

  at({ step, path }: TaskPlace): TaskRow | undefined {
    return this.#byPlace.get(`${step}/${path}`);
  }

  bySequence(sequence: TaskSequence): TaskRow | undefined {
    return this.#bySequence.get(sequence);
  }

  latest(): Iterable<TaskRow> {
    return this.#byPlace.values();
  }
}

/** Without a graph: each finished foreach has a task for every one of its items. */
function missingItems(run: RunRow, tasks: TaskTable): readonly string[] {
  const children = new Map<TaskSequence, Set<TaskPath>>();
  for (const task of tasks.latest()) {
    if (task.inherits === undefined) continue;
    const paths = children.get(task.inherits);
    if (paths === undefined) children.set(task.inherits, new Set([task.path]));
    else paths.add(task.path);
  }
  const faults: string[] = [];
  for (const task of tasks.latest()) {
    if (!isComplete(task) || task.fanOut === undefined) continue;
    const paths = children.get(task.sequence) ?? new Set();
    let missing = 0;
    for (let index = 0; index < task.fanOut; index++) {
      const path = childPath(task.path, index);
      // Where a loop begins with the item, it is in its first round.
      if (!paths.has(path) && !paths.has(roundPath(path, 0))) missing += 1;
    }
    if (missing > 0) faults.push(`${missing} of the ${task.fanOut} items of ${taskName(run, task)} have no task`);
  }
  return faults;
}

/** With a graph: everything that a finished task leads to is there. */
function missingTasks(run: RunRow, tasks: TaskTable, definition: FlowDefinition): readonly string[] {
  const places = taskPlaces(definition);
  const name = ({ step, path }: TaskPlace) => (path === "" ? step : `${step}/${path}`);
  const faults: string[] = [];
  if (tasks.at(places.first) === undefined) faults.push(`the ${places.first.step} task is not recorded`);
  for (const task of tasks.latest()) {
    const next = places.after(task);
    if (next === undefined) {
      faults.push(`${taskName(run, task)} is of a step that the flow does not have`);
      continue;
    }
    if (!isComplete(task)) continue;
    const missing = Map.groupBy(
      next.filter((place) => tasks.at(place) === undefined),
      ({ step }) => step,
    );
    for (const [target, [first, ...others]] of missing)
      faults.push(
        `${taskName(run, task)} leads to ${target}${others.length > 0 ? ` ${others.length + 1} times` : ""}, but ${name(first!)} is not recorded`,
      );
  }
  return faults;
}
