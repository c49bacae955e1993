import type { MetadataReader, RunRow, RunSequence, TaskRow } from "../metadata/metadata-store.ts";
import type { TaskOrigin } from "../metadata/replay.ts";
import { taskName } from "./task-name.ts";

/** Where the outcome of a task comes from that was not executed in its run. */
export interface NamedOrigin {
  readonly kind: TaskOrigin["kind"];
  /** `Train/12/fit/3` */
  readonly task: string;
}

/**
 * Gives the names of tasks' origins. A foreach of which all tasks come from one run asks for that run once.
 *
 * @returns undefined for a task that was executed in its run, and where the origin is not in the store any more
 */
export function originNames(
  metadata: Pick<MetadataReader, "task" | "run">,
): (task: Pick<TaskRow, "origin">) => Promise<NamedOrigin | undefined> {
  const runs = new Map<RunSequence, Promise<RunRow | undefined>>();
  return async ({ origin }) => {
    const row = origin === undefined ? undefined : await metadata.task(origin.task);
    if (origin === undefined || row === undefined) return undefined;
    const run = runs.get(row.run) ?? metadata.run(row.run);
    runs.set(row.run, run);
    const known = await run;
    return known === undefined ? undefined : { kind: origin.kind, task: taskName(known, row) };
  };
}
