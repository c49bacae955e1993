import type { Problem } from "../errors/flow-error.ts";
import type { DeletedRun } from "../metadata/deleted-run.ts";

/** A deleted run for people: `Train/17 was deleted on 2026-05-04 12:00 UTC by ann on mill (flow store gc: too old)`. */
export function describeDeleted(run: DeletedRun): string {
  return `${run.flow.name}/${run.number} was deleted ${deletedBy(run)}`;
}

/** When and by whom: `on 2026-05-04 12:00 UTC by ann on mill (flow runs delete)`. */
export function deletedBy({ deletedAt, actor, host, via, reason }: DeletedRun): string {
  const at = `${deletedAt.toISOString().slice(0, 16).replace("T", " ")} UTC`;
  return `on ${at} by ${actor} on ${host} (${via}${reason === undefined ? "" : `: ${reason}`})`;
}

/** What is said to whoever names it. */
export function deletedProblem(run: DeletedRun): Problem {
  return {
    code: "FLOW_LINEAGE_RUN_DELETED",
    message: describeDeleted(run),
    hint: `Name another run; flow runs ${run.flow.name} lists them`,
  };
}
