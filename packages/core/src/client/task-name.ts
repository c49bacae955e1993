import { runName } from "../lineage/run-name.ts";
import type { RunRow, TaskRow } from "../metadata/metadata-store.ts";

/** A task for people: `Train/17/start`, `Train/17/fold/1.2`. */
export function taskName(run: Pick<RunRow, "flow" | "number">, task: Pick<TaskRow, "step" | "path">): string {
  return task.path === "" ? `${runName(run)}/${task.step}` : `${runName(run)}/${task.step}/${task.path}`;
}
