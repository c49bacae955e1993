import type { Graph } from "../graph/graph.ts";
import type { TaskPath } from "../ids/task-path.ts";
import type { TaskSequence } from "../metadata/metadata-store.ts";
import type { FinishedTaskColumns } from "../metadata/replay.ts";
import { type FinishedTask, type ReadyTask, Scheduler } from "./scheduler/scheduler.ts";

/** Numbers of tasks that will never be: beyond all that a store gives. */
const NOWHERE = 2 ** 52;

/**
 * A task of a recorded run as the scheduler once made it ready: with the tasks that it inherits from, its item, or what it
 * joins. The scheduler itself is asked, with all other tasks taken over.
 *
 * @param graph that of the run
 * @returns undefined when what stands before the task is not finished
 */
export function taskAgain(
  graph: Graph,
  columns: FinishedTaskColumns,
  target: { readonly step: string; readonly path: TaskPath },
): ReadyTask | undefined {
  const finished = new Map<string, FinishedTask>();
  let items = 0;
  for (let index = 0; index < columns.count; index++) {
    const [step, path, fanOut, choice] = [
      columns.steps[index]!,
      columns.paths[index]!,
      columns.fanOuts[index],
      columns.choices[index],
    ];
    if (step === target.step && path === target.path) continue;
    items += fanOut ?? 0;
    finished.set(`${step}/${path}`, {
      sequence: columns.sequences[index]!,
      status: columns.statuses[index]!,
      ...(fanOut === undefined ? {} : { fanOut }),
      ...(choice === undefined ? {} : { choice }),
    });
  }
  let next = NOWHERE;
  const allocate = (count: number): TaskSequence => {
    next += count;
    return (next - count) as TaskSequence;
  };
  const scheduler = new Scheduler(graph, allocate, {
    finished: { get: (step, path) => finished.get(`${step}/${path}`), count: finished.size, fanOut: items },
    maxRounds: Number.MAX_SAFE_INTEGER,
  });
  scheduler.begin();
  for (;;) {
    const tasks = scheduler.take(target.step, BATCH);
    const found = tasks.find(({ path }) => path === target.path);
    if (found !== undefined || tasks.length === 0) return found;
  }
}

const BATCH = 1_000;
