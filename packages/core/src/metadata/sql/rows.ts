/**
 * Rows of tables to and from rows of the contract: digests as 32 bytes inside and lower-case hex outside, times as
 * milliseconds inside and Date outside, structured fields as JSON text inside. Loaded by every worker: of other files
 * types only, errors, and what reads JSON and makes digests.
 */
import type { Digest, GoneReason } from "../../artifact/artifact.ts";
import { FlowError, isFlowError } from "../../errors/flow-error.ts";
import type { RunId } from "../../ids/run-id.ts";
import type { DeletedRun } from "../deleted-run.ts";
import type { ExecutionRow } from "../execution.ts";
import type { RunImport } from "../imported-run.ts";
import type {
  ArtifactRow,
  BlobRow,
  ItemPageRow,
  LogRow,
  LogSequence,
  NewRun,
  NewUpstream,
  RunRow,
  RunSequence,
  RunValueKind,
  TagEvent,
  TaskRow,
  TaskSequence,
  UpstreamRead,
  UpstreamRow,
} from "../metadata-store.ts";
import type { KeptBlob } from "../replay.ts";
import { readColumn } from "../stored-columns.ts";
import { readTime } from "../stored-json.ts";
import type { TagRequest } from "../tag-event.ts";
import type { TagPolicy } from "../tag-policy.ts";
import type { LeftArtifacts } from "../task-reader.ts";
import type { LogRowTable } from "./logs.ts";
import type {
  ArtifactTable,
  BlobTable,
  DeletedRunTable,
  ExecutionTable,
  ItemPageTable,
  RunTable,
  RunValueTable,
  TagEventTable,
  TagPolicyTable,
  TagRequestTable,
  TaskTable,
  UpstreamReadTable,
  UpstreamTable,
} from "./schema.ts";

/** A row of `run` as it is read: `Generated` is a matter of inserting. */
export type RunRecord = Omit<RunTable, "sequence"> & { readonly sequence: number };

export function bytesOfDigest(digest: Digest | string): Buffer {
  return Buffer.from(digest, "hex");
}

export function digestOfBytes(bytes: Uint8Array): Digest {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex") as Digest;
}

/** The columns of an execution that every run shows of its current one. */
export type CurrentExecution = Pick<ExecutionTable, "runner" | "started_at" | "heartbeat_at">;

/**
 * @param execution  the current one; a run that a program of the first schema wrote may have none, and then nothing is
 *   known of its runner but the host
 * @param status  what the run is shown as, where that is not what is stored
 */
export function toRunRow(
  row: RunRecord,
  tags: readonly string[],
  execution: CurrentExecution | undefined,
  status = row.status,
): RunRow {
  const environment = readColumn("run.environment", row.environment);
  const { imported, ...facts } = readColumn("run.origin_facts", row.origin_facts ?? "{}");
  return {
    sequence: row.sequence as RunSequence,
    id: row.id as RunId,
    flow: { project: row.project, name: row.flow_name },
    number: row.number,
    status,
    createdAt: readTime(row.created_at, "created_at"),
    ...(row.started_at === null ? {} : { startedAt: readTime(row.started_at, "started_at") }),
    ...(row.finished_at === null ? {} : { finishedAt: readTime(row.finished_at, "finished_at") }),
    tags,
    systemTags: readColumn("run.system_tags", row.system_tags),
    parameters: readColumn("run.parameters", row.parameters),
    secretParameters: readColumn("run.secret_parameters", row.secret_parameters),
    ...(row.package_digest === null ? {} : { packageDigest: digestOfBytes(row.package_digest) }),
    environment,
    ...(row.failure === null ? {} : { failure: readColumn("run.failure", row.failure) }),
    ...(row.end_task === null ? {} : { endTask: row.end_task as TaskSequence }),
    execution: {
      number: row.execution,
      runner:
        execution === undefined ? { host: environment.host, pid: 0 } : readColumn("execution.runner", execution.runner),
      startedAt: readTime(execution?.started_at ?? row.started_at ?? row.created_at, "execution.started_at"),
      heartbeatAt: readTime(execution?.heartbeat_at ?? row.started_at ?? row.created_at, "execution.heartbeat_at"),
    },
    ...(row.origin === null ? {} : { origin: { run: row.origin as RunId, ...facts } }),
    ...(row.parent === null ? {} : { parent: readColumn("run.parent", row.parent) }),
    ...(imported === undefined ? {} : { imported: toRunImport(imported) }),
  };
}

/** Where a fork comes from, as its row has it. */
export function originColumns({ origin }: Pick<NewRun, "origin">) {
  if (origin === undefined) return { origin: null, origin_facts: null };
  const { run, ...facts } = origin;
  return { origin: run, origin_facts: JSON.stringify(facts) };
}

function toRunImport(stored: RunImport): RunImport {
  const tagLogs = stored.tagLogs.map(({ store, events }) => ({
    store,
    events: events.map((event) => ({ ...event, at: new Date(event.at) })),
  }));
  return { ...stored, at: new Date(stored.at), tagLogs };
}

export function toExecutionRow(row: Omit<ExecutionTable, "program_schema">): ExecutionRow {
  return ofRow({ rowOfRun: row.run }, () => executionOf(row));
}

function executionOf(row: Omit<ExecutionTable, "program_schema">): ExecutionRow {
  return {
    run: row.run as RunSequence,
    number: row.number,
    runner: readColumn("execution.runner", row.runner),
    actor: row.actor,
    command: readColumn("execution.command", row.command),
    ...(row.package_digest === null ? {} : { packageDigest: digestOfBytes(row.package_digest) }),
    options: readColumn("execution.options", row.options),
    startedAt: readTime(row.started_at, "started_at"),
    heartbeatAt: readTime(row.heartbeat_at, "heartbeat_at"),
    ...(row.ended_at === null ? {} : { endedAt: readTime(row.ended_at, "ended_at") }),
    status: row.status,
  };
}

/** @param status  what the task is shown as, where that is not what is stored */
export function toTaskRow(row: TaskTable, status = row.status): TaskRow {
  return ofRow({ rowOfRun: row.run, rowOfTask: row.sequence }, () => taskOf(row, status));
}

function taskOf(row: TaskTable, status: TaskTable["status"]): TaskRow {
  return {
    sequence: row.sequence as TaskSequence,
    run: row.run as RunSequence,
    step: row.step,
    path: row.path,
    attempt: row.attempt,
    startedAt: readTime(row.started_at, "started_at"),
    ...(row.inherits === null ? {} : { inherits: row.inherits as TaskSequence }),
    status,
    ...(row.finished_at === null ? {} : { finishedAt: readTime(row.finished_at, "finished_at") }),
    ...(row.error === null ? {} : { error: readColumn("task.error", row.error) }),
    ...(row.fan_out === null ? {} : { fanOut: row.fan_out }),
    ...(row.choice === null ? {} : { choice: row.choice }),
    ...(row.origin === null || row.origin_kind === null
      ? {}
      : { origin: { task: row.origin as TaskSequence, kind: row.origin_kind } }),
    ...(row.value_reads === null ? {} : { valueReads: readColumn("task.value_reads", row.value_reads) }),
    ...(row.cancelled_by === null ? {} : { cancelledBy: row.cancelled_by }),
    ...(row.duration_ms === null ? {} : { durationMs: row.duration_ms }),
  };
}

export function toKeptBlob(row: KeptBlobRecord): KeptBlob {
  return {
    digest: digestOfBytes(row.digest),
    compression: row.compression,
    storedBytes: row.stored_bytes,
    isInline: row.is_inline === 1,
  };
}

export type KeptBlobRecord = Pick<BlobTable, "digest" | "compression" | "stored_bytes"> & {
  readonly is_inline: number;
};

/** A row of an artifact, with what is said of one that was given up. */
export type ArtifactRecord = Omit<ArtifactTable, "task"> & {
  readonly reason?: GoneReason | null;
  readonly gone_at?: number | null;
};

/** The same where thousands are read: a text is read quicker than bytes, which come in a Buffer of their own. */
export type VisibleRecord = Omit<ArtifactRecord, "digest"> & { readonly digest: string };

export function toArtifactRow(row: ArtifactRecord): ArtifactRow {
  return artifactRow(row, digestOfBytes(row.digest));
}

export function toVisibleArtifact(row: VisibleRecord): ArtifactRow {
  return artifactRow(row, row.digest as Digest);
}

function artifactRow(row: Omit<ArtifactRecord, "digest">, digest: Digest): ArtifactRow {
  const { name, codec, reason, gone_at } = row;
  const known = { name, codec, digest, sizeBytes: row.size_bytes };
  if (reason === null || reason === undefined) return known;
  return { ...known, gone: { reason, at: readTime(gone_at ?? 0, "gone_artifact.gone_at") } };
}

export function toDeletedRun(row: Omit<DeletedRunTable, "sequence" | "flow">): DeletedRun {
  return {
    id: row.id as RunId,
    flow: { project: row.project, name: row.flow_name },
    number: row.number,
    status: row.status,
    createdAt: readTime(row.created_at, "deleted_run.created_at"),
    deletedAt: readTime(row.deleted_at, "deleted_run.deleted_at"),
    actor: row.actor,
    host: row.host,
    via: row.via,
    ...(row.reason === null ? {} : { reason: row.reason }),
  };
}

/**
 * The artifacts that a chain of tasks leaves visible, by name: of rows that come nearest task first, the first of each
 * name counts.
 */
export function toVisibleArtifacts(rows: readonly VisibleRecord[]): readonly ArtifactRow[] {
  const nearest = new Map<string, ArtifactRow>();
  for (const row of rows) if (!nearest.has(row.name)) nearest.set(row.name, toVisibleArtifact(row));
  return [...nearest.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
}

export type TaskStart = Pick<TaskTable, "inherits"> & { readonly task: number };
export type LeftRecord = VisibleRecord & { readonly task: number };

/** What tasks have set themselves: rows of tasks, and rows of their artifacts in any order. */
export function toLeftArtifacts(starts: readonly TaskStart[], rows: readonly LeftRecord[]): readonly LeftArtifacts[] {
  const found = new Map<number, ArtifactRow[]>();
  for (const { task } of starts) found.set(task, []);
  for (const row of rows) found.get(row.task)?.push(toVisibleArtifact(row));
  return starts.map(({ task, inherits }) => ({
    task: task as TaskSequence,
    ...(inherits === null ? {} : { inherits: inherits as TaskSequence }),
    artifacts: found.get(task)!.sort((left, right) => (left.name < right.name ? -1 : 1)),
  }));
}

export function toRunValue(row: Omit<RunValueTable, "run">): ArtifactRow & { readonly kind: RunValueKind } {
  return { ...toArtifactRow(row), kind: row.kind };
}

/** The page, if it reaches the item: `row` is the last one that begins at or before it. */
export function toItemPage(row: ItemPageTable | undefined, index: number): ItemPageRow | undefined {
  if (row === undefined || index >= row.first + row.count) return undefined;
  return {
    split: row.split as TaskSequence,
    first: row.first,
    count: row.count,
    codec: row.codec,
    digest: digestOfBytes(row.digest),
    sizeBytes: row.size_bytes,
  };
}

export function toBlobRow(row: BlobTable): BlobRow {
  return {
    digest: digestOfBytes(row.digest),
    sizeBytes: row.size_bytes,
    storedBytes: row.stored_bytes,
    compression: row.compression,
    ...(row.stored === null
      ? {}
      : { stored: new Uint8Array(row.stored.buffer, row.stored.byteOffset, row.stored.byteLength) }),
  };
}

export function upstreamColumns(run: number, upstream: NewUpstream): UpstreamTable {
  return {
    run,
    name: upstream.name,
    flow_project: "project" in upstream.flow ? upstream.flow.project : null,
    flow_name: upstream.flow.name,
    selector: JSON.stringify(upstream.selector),
    producer: upstream.producer ?? null,
    candidate_count: upstream.candidateCount,
    candidates: JSON.stringify(upstream.candidates),
    resolved_at: upstream.resolvedAt.getTime(),
  };
}

export function toUpstreamRow(row: UpstreamTable): UpstreamRow {
  return ofRow({ rowOfRun: row.run }, () => upstreamOf(row));
}

/** Whose row it is that cannot be read, by number: who reads with a connection makes names of them. */
export function ofRow<T>(row: { readonly rowOfRun: number; readonly rowOfTask?: number }, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!isFlowError(error, "FLOW_METADATA_CORRUPT")) throw error;
    const { message, hint, context } = error;
    throw new FlowError("FLOW_METADATA_CORRUPT", {
      message,
      ...(hint === undefined ? {} : { hint }),
      context: { ...context, ...row },
      cause: error.cause,
    });
  }
}

function upstreamOf(row: UpstreamTable): UpstreamRow {
  return {
    run: row.run as RunSequence,
    name: row.name,
    flow: row.flow_project === null ? { name: row.flow_name } : { project: row.flow_project, name: row.flow_name },
    selector: readColumn("upstream.selector", row.selector),
    ...(row.producer === null ? {} : { producer: row.producer as RunId }),
    candidateCount: row.candidate_count,
    candidates: readColumn("upstream.candidates", row.candidates),
    resolvedAt: readTime(row.resolved_at, "resolved_at"),
  };
}

export function toUpstreamRead(row: Omit<UpstreamReadTable, "run">): UpstreamRead {
  return {
    task: row.task as TaskSequence,
    ...(row.upstream === "" ? {} : { upstream: row.upstream }),
    producer: row.producer as RunId,
    artifact: row.artifact,
    codec: row.codec,
    digest: digestOfBytes(row.digest),
  };
}

export function toLogRow(row: LogRowTable): LogRow {
  return {
    sequence: row.sequence as LogSequence,
    task: row.task as TaskSequence,
    attempt: row.attempt,
    stream: row.stream,
    at: readTime(row.at, "at"),
    text: row.text,
  };
}

export function toTagEvent(row: TagEventTable): TagEvent {
  const { run, reason, move, action, from_run, checks, policy } = row;
  return {
    sequence: row.sequence,
    at: readTime(row.at, "at"),
    actor: row.actor,
    host: row.host,
    verb: row.verb,
    tag: row.tag,
    ...(run === null ? {} : { run: run as RunId }),
    via: row.via,
    ...(reason === null ? {} : { reason }),
    ...(move === null ? {} : { move }),
    ...(action === null ? {} : { action }),
    ...(from_run === null ? {} : { from: from_run as RunId }),
    ...(checks === null ? {} : { checks: readColumn("tag_event.checks", checks) }),
    ...(policy === null ? {} : { policy: readColumn("tag_event.policy", policy) }),
    previous: digestOfBytes(row.previous),
    digest: digestOfBytes(row.digest),
  };
}

export function toTagPolicy({ policy }: Pick<TagPolicyTable, "policy">): TagPolicy {
  return readColumn("tag_policy.policy", policy);
}

export function toTagRequest(row: TagRequestTable): TagRequest {
  return {
    tag: row.tag,
    at: readTime(row.at, "at"),
    actor: row.actor,
    host: row.host,
    via: row.via,
    ...(row.reason === null ? {} : { reason: row.reason }),
    status: row.status,
    ...(row.why === null ? {} : { why: row.why }),
  };
}
