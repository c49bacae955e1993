import type { FinishedTaskColumns } from "../../metadata/replay.ts";
import type { RunDriverOptions } from "../../runner/run-driver.ts";
import type { FinishedTasks } from "../../runner/scheduler/scheduler.ts";

/** What the driver is told of tasks that need not run again, and of those that were tried before. */
export function takenOver(
  columns: FinishedTaskColumns,
): Required<Pick<RunDriverOptions, "finished" | "attemptsBefore">> {
  const places = new Map<string, Map<string, number>>();
  let fanOut = 0;
  columns.steps.forEach((step, index) => {
    let paths = places.get(step);
    if (paths === undefined) {
      paths = new Map();
      places.set(step, paths);
    }
    paths.set(columns.paths[index]!, index);
    fanOut += columns.fanOuts[index] ?? 0;
  });
  const attempts = new Map(columns.unfinished.map(({ step, path, attempt }) => [`${step}/${path}`, attempt]));
  const finished: FinishedTasks = {
    count: columns.count,
    fanOut,
    get(step, path) {
      const index = places.get(step)?.get(path);
      if (index === undefined) return undefined;
      const [items, choice] = [columns.fanOuts[index], columns.choices[index]];
      return {
        sequence: columns.sequences[index]!,
        status: columns.statuses[index]!,
        ...(items === undefined ? {} : { fanOut: items }),
        ...(choice === undefined ? {} : { choice }),
      };
    },
  };
  return { finished, attemptsBefore: (step, path) => attempts.get(`${step}/${path}`) ?? 0 };
}
