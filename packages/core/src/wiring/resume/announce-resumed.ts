import type { Problem } from "../../errors/flow-error.ts";
import type { RunEvent } from "../../events/run-event.ts";
import { describeSelector } from "../../lineage/describe-selector.ts";
import { runName } from "../../lineage/run-name.ts";
import type { RunRow } from "../../metadata/metadata-store.ts";
import type { FinishedTaskColumns } from "../../metadata/replay.ts";
import type { RerunReason, ResumePlan } from "../../runner/resume/plan-resume.ts";
import { assertNever } from "../../util/assert-never.ts";
import type { OpenStores } from "../open-stores.ts";
import type { PinnedUpstreams } from "./pinned-upstreams.ts";
import type { ResumeSubject } from "./resume-package.ts";

export interface Resumed {
  readonly row: RunRow;
  readonly finished: FinishedTaskColumns;
  readonly subject: ResumeSubject;
  readonly plan: ResumePlan;
  readonly pins: PinnedUpstreams;
  readonly stores: Pick<OpenStores, "place">;
}

/** Says what goes on, what is kept, what runs again and why, and what there is to be careful about. */
export function announceResumed(resumed: Resumed, emit: (event: RunEvent) => void): void {
  const { row, finished, subject, plan, pins, stores } = resumed;
  const at = new Date();
  emit({
    kind: "run.resumed",
    at,
    run: runName(row),
    runId: row.id,
    adopted: finished.count,
    execution: row.execution.number,
    flow: `${row.flow.project}/${row.flow.name}`,
    tags: row.tags,
    store: stores.place,
    ...(plan.kind === "fork" ? { origin: runName(subject.row) } : {}),
    kept: plan.kept,
    again: plan.kind === "fork" ? plan.rerun.map(({ reason, ...rest }) => ({ ...rest, reason: inWords(reason) })) : [],
    changedParameters: plan.kind === "fork" ? plan.changedParameters : [],
  });
  for (const { name, selector, run, candidates } of pins.resolved) {
    if (run === undefined) continue;
    const found = { selector: describeSelector(selector), run: runName(run), runId: run.id, candidates };
    emit({ kind: "run.upstream", at, name, ...found });
  }
  const warnings = [
    ...(subject.lostEntry === undefined ? [] : [keptCode(subject.lostEntry)]),
    ...(subject.package.warnings ?? []),
    ...pins.warnings,
    ...(plan.kind === "fork" ? plan.warnings : []),
  ];
  for (const { code, message, hint } of warnings)
    emit({ kind: "run.warning", at, code, message, ...(hint === undefined ? {} : { hint }) });
}

function keptCode(entry: string): Problem {
  return {
    code: "FLOW_RESUME_KEPT_CODE",
    message: `"${entry}" is not there any more: the run goes on with the code that the store kept`,
    hint: "Put the file back to run what it is now, or give --same-code when this is what you want",
  };
}

function inWords(reason: RerunReason): string {
  switch (reason.kind) {
    case "asked":
      return "asked for";
    case "code":
      return "its code changed";
    case "new":
      return "it is new";
    case "graph":
      return "it stands elsewhere in the graph";
    case "after":
      return `after ${reason.step}`;
    default:
      return assertNever(reason);
  }
}
