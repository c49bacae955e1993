import type { TaskPath } from "../ids/task-path.ts";
import type { FinishedTaskColumns } from "../metadata/replay.ts";
import type { FinishedTasks } from "../runner/scheduler/scheduler.ts";

/** The finished tasks of a record, as the scheduler asks for them. */
export function finishedTasks(columns: FinishedTaskColumns): FinishedTasks {
  const places = new Map<string, Map<TaskPath, number>>();
  for (const [index, step] of columns.steps.entries()) {
    const paths = places.get(step) ?? new Map<TaskPath, number>();
    places.set(step, paths.set(columns.paths[index]!, index));
  }
  return {
    count: columns.count,
    fanOut: columns.fanOuts.reduce<number>((sum, items) => sum + (items ?? 0), 0),
    get(step, path) {
      const index = places.get(step)?.get(path);
      if (index === undefined) return undefined;
      const items = columns.fanOuts[index];
      const choice = columns.choices[index];
      return {
        sequence: columns.sequences[index]!,
        status: columns.statuses[index]!,
        ...(items === undefined ? {} : { fanOut: items }),
        ...(choice === undefined ? {} : { choice }),
      };
    },
  };
}

/** Attempts that tasks which are not finished had before. */
export function attemptsBefore({ unfinished }: FinishedTaskColumns): (step: string, path: TaskPath) => number {
  const attempts = new Map(unfinished.map(({ step, path, attempt }) => [`${step}/${path}`, attempt]));
  return (step, path) => attempts.get(`${step}/${path}`) ?? 0;
}
