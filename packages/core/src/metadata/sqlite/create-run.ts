import { FlowError } from "../../errors/flow-error.ts";
import type { RunId } from "../../ids/run-id.ts";
import { canonicalJson } from "../canonical-json.ts";
import type { ChildRunKey, RunParent } from "../execution.ts";
import type { Liveness } from "../liveness.ts";
import type { NewRun, RunSequence } from "../metadata-store.ts";
import { deletedRunById, moveDeletedRuns } from "../sql/deletions.ts";
import { childRun, insertChildRun } from "../sql/executions.ts";
import { bytesOfDigest, originColumns, toDeletedRun, upstreamColumns } from "../sql/rows.ts";
import * as runs from "../sql/runs.ts";
import { insertUpstream } from "../sql/upstreams.ts";
import { insertExecution } from "./begin-execution.ts";
import type { Connection } from "./connection.ts";
import { moveTags, taggedRun } from "./move-tags.ts";
import { parameterDigest } from "./parameter-digest.ts";
import { writeStartDigest } from "./run-digests.ts";
import { deletedRun, noRun } from "./run-errors.ts";
import { refuseSameFork } from "./same-fork.ts";
import type { Statements } from "./statements.ts";
import { takeOver } from "./take-over.ts";
import { type HoldsBlob, insertBlobs, namingABlob } from "./write-blobs.ts";

export interface CreateRunContext {
  readonly db: Connection;
  readonly statements: Statements;
  readonly here: Liveness | undefined;
  readonly holds: HoldsBlob | undefined;
}

/** Writes a run with all that is known when it begins, inside the caller's transaction. */
export function createRun({ db, statements, here, holds }: CreateRunContext, run: NewRun): RunSequence {
  insertBlobs(statements, run.blobs, holds);
  const flow = flowFor(statements, run);
  if (run.takeOver !== undefined) refuseSameFork(statements, run, flow, here);
  const number = statements.get(runs.nextNumber, { id: flow })!.last_number;
  const sequence = insert(statements, run, flow, number);
  const first = { ...run.execution, actor: run.actor };
  const execution = run.packageDigest === undefined ? first : { ...first, packageDigest: run.packageDigest };
  insertExecution(statements, sequence, 1, execution, run.createdAt);
  if (run.parent !== undefined) insertChild(statements, run.parent, sequence);
  statements.run(runs.setNewestRun, { id: flow, run: sequence });

  for (const [name, value] of Object.entries(run.parameters)) {
    if (value === undefined) continue;
    statements.run(runs.insertRunParameter, { run: sequence, name, value_digest: parameterDigest(name, value) });
  }
  for (const { name, kind, codec, digest, sizeBytes } of run.values) {
    namingABlob(`${kind} "${name}"`, digest, () =>
      statements.run(runs.insertRunValue, {
        run: sequence,
        name,
        kind,
        codec,
        digest: bytesOfDigest(digest),
        size_bytes: sizeBytes,
      }),
    );
  }
  for (const upstream of run.upstreams) {
    // It was there when it was resolved. (A producer of another store is neither here nor deleted.)
    const gone = upstream.producer && statements.get(deletedRunById, { id: upstream.producer });
    if (gone) throw deletedRun(`Cannot read from it as "${upstream.name}"`, toDeletedRun(gone));
    statements.run(insertUpstream, upstreamColumns(sequence, upstream));
  }
  moveTags(statements, taggedRun(statements, sequence), {
    add: [...new Set(run.tags)],
    remove: [],
    actor: run.actor,
    host: run.host,
    at: run.createdAt,
    via: "run",
    ...(run.tagReason === undefined ? {} : { reason: run.tagReason }),
  });
  writeStartDigest(db, sequence);
  if (run.takeOver !== undefined) takeOver(db, statements, run.takeOver, sequence);
  return sequence as RunSequence;
}

function insertChild(statements: Statements, parent: ChildRunKey, child: number): void {
  const { run, step, path, call, inputsDigest } = parent;
  const key = { run, step, path, call, inputs_digest: bytesOfDigest(inputsDigest) };
  if (statements.get(childRun, key) !== undefined) {
    throw new FlowError("FLOW_METADATA_CONFLICT", {
      message: `Cannot create a run for call ${call} of ${step}/${path}: this call has a run already`,
      context: { ...parent },
    });
  }
  statements.run(insertChildRun, { ...key, child });
}

/** The call that starts a run, as the run itself shows it. */
function parentOf(statements: Statements, { run, step, path, call }: ChildRunKey): RunParent {
  const parent = statements.get(runs.runStatus, { sequence: run });
  if (parent === undefined) throw noRun(run);
  return { run: parent.id as RunId, step, path, call };
}

function insert(statements: Statements, run: NewRun, flow: number, number: number): number {
  if (statements.get(runs.runById, { id: run.id }) !== undefined) {
    throw new FlowError("FLOW_METADATA_CONFLICT", {
      message: `Cannot create the run ${run.id}: the store has a run of this id`,
      context: { run: run.id },
    });
  }
  return statements.get(runs.insertRun, {
    id: run.id,
    flow,
    project: run.flow.project,
    flow_name: run.flow.name,
    number,
    status: "running",
    created_at: run.createdAt.getTime(),
    started_at: run.createdAt.getTime(),
    package_digest: run.packageDigest === undefined ? null : bytesOfDigest(run.packageDigest),
    system_tags: JSON.stringify([...new Set(run.systemTags)].sort()),
    parameters: canonicalJson(run.parameters, "the parameters"),
    secret_parameters: JSON.stringify(run.secretParameters),
    environment: JSON.stringify(run.environment),
    execution: 1,
    ...originColumns(run),
    parent: run.parent === undefined ? null : JSON.stringify(parentOf(statements, run.parent)),
  })!.sequence;
}

/**
 * The flow that a run belongs to, with its earlier names tied to it for good.
 *
 * A flow that is new under its name takes over the flow of its first earlier name: numbers go on. When both have runs
 * already (the earlier name was declared late), the two become one flow; runs keep the names and numbers they ran under,
 * and new numbers go on from the larger.
 */
export function flowFor(statements: Statements, run: Pick<NewRun, "flow" | "formerly">): number {
  const { project, name } = run.flow;
  const earlier = run.formerly.filter((former) => former !== name);
  let flow = statements.get(runs.flowOf, { project, name })?.flow;
  if (flow === undefined) {
    const taken = earlier
      .map((former) => statements.get(runs.flowOf, { project, name: former })?.flow)
      .find((id) => id !== undefined);
    flow = taken ?? statements.get(runs.insertFlow, { project, name })!.id;
    statements.run(runs.insertFlowName, { project, name, flow });
    if (taken !== undefined) statements.run(runs.renameFlow, { id: flow, name });
  }
  for (const former of earlier) {
    const other = statements.get(runs.flowOf, { project, name: former })?.flow;
    if (other === undefined) statements.run(runs.insertFlowName, { project, name: former, flow });
    else if (other !== flow) mergeFlows(statements, other, flow);
  }
  return flow;
}

function mergeFlows(statements: Statements, from: number, to: number): void {
  const one = statements.get(runs.flowCounters, { id: from })!;
  const other = statements.get(runs.flowCounters, { id: to })!;
  statements.run(runs.setFlowCounters, {
    id: to,
    last_number: Math.max(one.last_number, other.last_number),
    run_count: one.run_count + other.run_count,
    newest_run: Math.max(one.newest_run, other.newest_run),
  });
  statements.run(runs.moveRuns, { from, to });
  statements.run(moveDeletedRuns, { from, to });
  statements.run(runs.moveRunTags, { from, to });
  statements.run(runs.moveFlowNames, { from, to });
  statements.run(runs.deleteFlow, { id: from });
}
