/**
 * Of forks that would do the same, one is executed at a time: whoever resumes a run twice, by mistake or from two
 * terminals, does not do all of the work twice. Looked at inside the transaction that would create the second one.
 */
import { FlowError } from "../../errors/flow-error.ts";
import { canonicalJson } from "../canonical-json.ts";
import type { Liveness } from "../liveness.ts";
import type { NewRun } from "../metadata-store.ts";
import { bytesOfDigest, originColumns, type RunRecord, toRunValue, toUpstreamRow } from "../sql/rows.ts";
import * as runs from "../sql/runs.ts";
import { upstreamsOfRun } from "../sql/upstreams.ts";
import { withTags } from "./run-reads.ts";
import type { Statements } from "./statements.ts";

/**
 * @param flow the number of the fork's flow
 * @throws FlowError FLOW_METADATA_RUN_ALIVE
 */
export function refuseSameFork(statements: Statements, run: NewRun, flow: number, here: Liveness | undefined): void {
  const { origin } = run;
  if (origin === undefined) return;
  const others = statements.all(runs.runningForks, { flow, running: "running", origin: origin.run });
  for (const row of others) {
    if (!isSame(statements, run, row)) continue;
    const other = withTags(statements, row, here);
    if (other.status !== "running") continue; // Its runner is dead.
    const { host, pid } = other.execution.runner;
    const name = `${other.flow.name}/${other.number}`;
    throw new FlowError("FLOW_METADATA_RUN_ALIVE", {
      message: `Cannot make this fork: ${name} is a fork that does the same, and is running in process ${pid} on "${host}"`,
      hint: "Wait until it has ended, or end that process",
      context: { run: other.id, name, host, pid, execution: other.execution.number },
    });
  }
}

/** Whether a fork has the same code, is given the same, and runs the same again. Constants are code. */
function isSame(statements: Statements, run: NewRun, other: RunRecord): boolean {
  const digest = run.packageDigest === undefined ? undefined : bytesOfDigest(run.packageDigest);
  if (Buffer.compare(other.package_digest ?? new Uint8Array(), digest ?? new Uint8Array()) !== 0) return false;
  if (other.origin_facts !== originColumns(run).origin_facts) return false;
  if (other.parameters !== canonicalJson(run.parameters, "the parameters")) return false;
  const values = statements.all(runs.runValues, { run: other.sequence }).map(toRunValue);
  const pins = statements.all(upstreamsOfRun, { run: other.sequence }).map(toUpstreamRow);
  return textOf({ values, upstreams: pins }) === textOf(run);
}

function textOf({ values, upstreams }: Pick<NewRun, "values" | "upstreams">): string {
  const given = values
    .filter(({ kind }) => kind !== "constant")
    .map(({ name, codec, digest }) => [name, codec, digest]);
  return JSON.stringify([given.toSorted(), upstreams.map(({ name, producer }) => [name, producer]).toSorted()]);
}
