/**
 * The hot path: everything that happened in a run since the last tick. A thousand finished tasks come in one call, so
 * statements are prepared once, arguments go in by position, and a task that begins and ends in one tick is one row
 * written, not one written and changed.
 */
import type { Statement } from "better-sqlite3";
import { FlowError } from "../../errors/flow-error.ts";
import type { FinishedTask, NewArtifact, NewTask, TaskSequence, Tick } from "../metadata-store.ts";
import { copyArtifacts, copyItemPages, insertArtifact, insertItemPage } from "../sql/artifacts.ts";
import { insertCacheEntry } from "../sql/cache.ts";
import { copyArtifactTerms, hasGoneArtifacts, insertArtifactTerm } from "../sql/deletions.ts";
import { insertLog } from "../sql/logs.ts";
import { bytesOfDigest } from "../sql/rows.ts";
import { finishTask, insertPlainTask, insertTask, setTaskRecord, taskBySequence } from "../sql/tasks.ts";
import { insertUpstreamRead } from "../sql/upstreams.ts";
import { checkWriter } from "./begin-execution.ts";
import type { Connection } from "./connection.ts";
import { RowBatch } from "./row-batch.ts";
import { sqliteCode } from "./sqlite-error.ts";
import type { Statements } from "./statements.ts";
import { type RecordColumns, TaskRecorder } from "./task-recorder.ts";
import { noTask, otherRun, taskFinal } from "./tick-errors.ts";
import { type HoldsBlob, insertBlobs, namingABlob } from "./write-blobs.ts";
import { MetricWriter } from "./write-metrics.ts";

const PLAIN_TASK = [
  "sequence",
  "run",
  "step",
  "path",
  "attempt",
  "status",
  "started_at",
  "finished_at",
  "inherits",
  "value_reads",
  "duration_ms",
  "record_digest",
] as const;
const ARTIFACT = ["task", "name", "codec", "digest", "size_bytes"] as const;

export class TickWriter {
  readonly #statements: Statements;
  readonly #holds: HoldsBlob | undefined;
  readonly #recorder: TaskRecorder;
  readonly #insertTask: Statement<unknown[], unknown>;
  readonly #plainTasks: RowBatch<NewTask>;
  readonly #finishTask: Statement<unknown[], unknown>;
  readonly #artifacts: RowBatch<NewArtifact>;
  readonly #insertPage: Statement<unknown[], unknown>;
  readonly #insertRead: Statement<unknown[], unknown>;
  readonly #insertLog: Statement<unknown[], unknown>;
  #metricWriter: MetricWriter | undefined;

  /** @param holds  whether the bytes of a blob are there that lies outside of the records */
  constructor(db: Connection, statements: Statements, holds?: HoldsBlob) {
    this.#statements = statements;
    this.#holds = holds;
    this.#recorder = new TaskRecorder(db, statements);
    const facts = ["origin", "origin_kind", "value_reads", "cancelled_by", "duration_ms"] as const;
    this.#insertTask = statements.raw(insertTask, [
      "sequence",
      "run",
      "step",
      "path",
      "attempt",
      "status",
      "started_at",
      "finished_at",
      "inherits",
      "fan_out",
      "choice",
      "error",
      ...facts,
      "terms",
      "record_digest",
    ]);
    const insertPlain = statements.raw(insertPlainTask, PLAIN_TASK);
    this.#plainTasks = new RowBatch(statements, insertPlainTask, PLAIN_TASK, (task, values) =>
      explained(task, () => insertPlain.run(...values)),
    );
    this.#finishTask = statements.raw(finishTask, [
      "status",
      "finished_at",
      "fan_out",
      "choice",
      "error",
      ...facts,
      "terms",
      "record_digest",
      "sequence",
      "run",
      "running",
    ]);
    const insert = statements.raw(insertArtifact, ARTIFACT);
    this.#artifacts = new RowBatch(statements, insertArtifact, ARTIFACT, ({ name, digest }, values) =>
      namingABlob(`the artifact "${name}"`, digest, () => insert.run(...values)),
    );
    this.#insertPage = statements.raw(insertItemPage, ["split", "first", "count", "codec", "digest", "size_bytes"]);
    this.#insertRead = statements.raw(insertUpstreamRead, [
      "upstream",
      "producer",
      "artifact",
      "codec",
      "digest",
      "task",
    ]);
    this.#insertLog = statements.raw(insertLog, ["task", "attempt", "stream", "at", "text"]);
  }

  /**
   * Writes a tick inside the caller's transaction.
   *
   * @returns tasks that cannot have the outcome of another one any more: their end is not written
   */
  write(tick: Tick): readonly TaskSequence[] {
    checkWriter(this.#statements, tick.run, tick.execution);
    const notTaken = this.#notTaken(tick);
    this.#write(notTaken.length === 0 ? tick : withoutEnds(tick, new Set(notTaken)));
    return notTaken;
  }

  #write(tick: Tick): void {
    this.#recorder.begin();
    this.#plainTasks.begin();
    this.#artifacts.begin();
    const startedHere = this.#writeStarted(tick);
    this.#plainTasks.flush();
    insertBlobs(this.#statements, tick.blobs, this.#holds);
    for (const task of tick.finished) {
      if (!startedHere.has(task.sequence)) this.#finish(tick.run, task);
      if (task.takenFrom !== undefined) {
        this.#artifacts.flush(); // What it takes may have been left in this tick.
        this.#copyOutcome(tick.run, task.sequence, task.takenFrom);
        const { terms, digest } = this.#recorder.record(task);
        this.#statements.run(setTaskRecord, { sequence: task.sequence, terms, record_digest: digest });
      }
      if (task.artifacts.length > 0) this.#writeArtifacts(tick.run, task);
      if (task.pages.length > 0) this.#writePages(task);
      for (const series of task.metrics ?? []) this.#metrics.write(tick.run, task.sequence, series);
      if (task.cache !== undefined) this.#offer(task, task.cache);
    }
    this.#artifacts.flush();
    for (const read of tick.reads) this.#writeRead(read);
    for (const chunk of tick.logs) this.#writeLog(chunk);
  }

  /** Between the look of a task into the cache and this transaction, a run may be deleted or a value given up. */
  #notTaken({ finished }: Tick): readonly TaskSequence[] {
    const notTaken: TaskSequence[] = [];
    if (finished.every(({ takenFrom }) => takenFrom === undefined)) return notTaken;
    const here = new Set(finished.map(({ sequence }) => sequence));
    for (const { sequence, takenFrom } of finished) {
      if (takenFrom === undefined || here.has(takenFrom)) continue;
      const isThere = this.#statements.get(taskBySequence, { sequence: takenFrom }) !== undefined;
      const isWhole = isThere && this.#statements.get(hasGoneArtifacts, { task: takenFrom }) === undefined;
      if (!isWhole) notTaken.push(sequence);
    }
    return notTaken;
  }

  /** Most runs record none: its statements are prepared when they are needed. */
  get #metrics(): MetricWriter {
    this.#metricWriter ??= new MetricWriter(this.#statements);
    return this.#metricWriter;
  }

  /** Answers the tasks that were written together with their end. */
  #writeStarted(tick: Tick): ReadonlySet<number> {
    const together = new Set<number>();
    if (tick.started.length === 0) return together;
    const ends = new Map<number, FinishedTask>();
    for (const task of tick.finished) {
      if (ends.has(task.sequence)) throw taskFinal(task, "the same tick finishes it twice");
      ends.set(task.sequence, task);
    }
    for (const task of tick.started) {
      if (task.run !== tick.run) throw otherRun(task.sequence, tick.run, task.run);
      const end = ends.get(task.sequence);
      if (end !== undefined) together.add(task.sequence);
      this.#insertStarted(task, end);
    }
    return together;
  }

  #insertStarted(task: NewTask, end: FinishedTask | undefined): void {
    // What another task left is known when that one's rows are written, perhaps in this tick.
    const record: RecordColumns | undefined =
      end === undefined || end.takenFrom !== undefined ? undefined : this.#recorder.record(end, task);
    if (end !== undefined && record !== undefined && isPlain(end, record)) {
      this.#plainTasks.add(task, [
        task.sequence,
        task.run,
        task.step,
        task.path,
        task.attempt,
        end.status,
        task.startedAt.getTime(),
        end.finishedAt.getTime(),
        task.inherits ?? null,
        end.valueReads === undefined ? null : JSON.stringify(end.valueReads),
        end.durationMs ?? null,
        record.digest,
      ]);
      return;
    }
    explained(task, () =>
      this.#insertTask.run(
        task.sequence,
        task.run,
        task.step,
        task.path,
        task.attempt,
        end?.status ?? "running",
        task.startedAt.getTime(),
        end === undefined ? null : end.finishedAt.getTime(),
        task.inherits ?? null,
        end?.fanOut ?? null,
        end?.choice ?? null,
        end?.error === undefined ? null : JSON.stringify(end.error),
        end?.takenFrom ?? null,
        end?.takenFrom === undefined ? null : "cache",
        end?.valueReads === undefined ? null : JSON.stringify(end.valueReads),
        end?.cancelledBy ?? null,
        end?.durationMs ?? null,
        record?.terms ?? null,
        record?.digest ?? null,
      ),
    );
  }

  #finish(run: number, task: FinishedTask): void {
    const record = task.takenFrom === undefined ? this.#recorder.record(task) : undefined;
    const { changes } = this.#finishTask.run(
      task.status,
      task.finishedAt.getTime(),
      task.fanOut ?? null,
      task.choice ?? null,
      task.error === undefined ? null : JSON.stringify(task.error),
      task.takenFrom ?? null,
      task.takenFrom === undefined ? null : "cache",
      task.valueReads === undefined ? null : JSON.stringify(task.valueReads),
      task.cancelledBy ?? null,
      task.durationMs ?? null,
      record?.terms ?? null,
      record?.digest ?? null,
      task.sequence,
      run,
      "running",
    );
    if (changes === 0) this.#explainUnfinished(run, task);
  }

  #explainUnfinished(run: number, task: FinishedTask): never {
    const row = this.#statements.get(taskBySequence, { sequence: task.sequence });
    if (row === undefined) throw noTask(task.sequence);
    if (row.run !== run) throw otherRun(task.sequence, run, row.run);
    throw taskFinal(task, `it is "${row.status}" already`);
  }

  #copyOutcome(run: number, task: number, from: number): void {
    const source = this.#statements.get(taskBySequence, { sequence: from });
    if (source === undefined) throw noTask(from);
    if (source.status !== "succeeded") {
      throw new FlowError("FLOW_METADATA_BAD_ARGUMENT", {
        message: `Cannot give task number ${task} the outcome of number ${from}: that one is "${source.status}"`,
        context: { task, from },
      });
    }
    this.#statements.run(copyArtifactTerms, { run, task, fromRun: source.run, from });
    this.#statements.run(copyArtifacts, { task, from });
    this.#statements.run(copyItemPages, { task, from });
    this.#metrics.copy(run, task, source.run, from);
  }

  #offer(task: FinishedTask, cache: NonNullable<FinishedTask["cache"]>): void {
    if (task.status !== "succeeded") {
      throw new FlowError("FLOW_METADATA_BAD_ARGUMENT", {
        message: `Cannot offer task number ${task.sequence} to later runs: it is "${task.status}"`,
        context: { task: task.sequence },
      });
    }
    const reads = JSON.stringify(cache.reads);
    for (const key of [cache.key, ...(cache.listing === undefined ? [] : [cache.listing])])
      this.#statements.run(insertCacheEntry, {
        key: bytesOfDigest(key),
        task: task.sequence,
        reads,
        created_at: task.finishedAt.getTime(),
        record_digest: this.#recorder.entryDigest(task.sequence, key, reads),
      });
  }

  #writeArtifacts(run: number, task: FinishedTask): void {
    for (const artifact of task.artifacts) {
      if (artifact.term !== undefined) this.#writeTerm(run, task, artifact, artifact.term);
      const { name, codec, digest, sizeBytes } = artifact;
      this.#artifacts.add(artifact, [task.sequence, name, codec, bytesOfDigest(digest), sizeBytes]);
    }
  }

  #writeTerm(run: number, task: FinishedTask, { name }: NewArtifact, term: NonNullable<NewArtifact["term"]>): void {
    this.#statements.run(insertArtifactTerm, {
      run,
      task: task.sequence,
      name,
      transient: term.isTransient ? 1 : 0,
      expires_at: term.ttlMs === undefined ? null : task.finishedAt.getTime() + Math.ceil(term.ttlMs),
    });
  }

  #writePages(task: FinishedTask): void {
    for (const page of task.pages) {
      const { first, count, codec, digest, sizeBytes } = page;
      namingABlob(`the items from ${first}`, digest, () =>
        this.#insertPage.run(task.sequence, first, count, codec, bytesOfDigest(digest), sizeBytes),
      );
    }
  }

  #writeRead(read: Tick["reads"][number]): void {
    const digest = bytesOfDigest(read.digest);
    const { changes } = this.#insertRead.run(
      read.upstream ?? "",
      read.producer,
      read.artifact,
      read.codec,
      digest,
      read.task,
    );
    if (changes > 0) return; // otherwise it is recorded already, or there is no such task
    if (this.#statements.get(taskBySequence, { sequence: read.task }) === undefined) throw noTask(read.task);
  }

  #writeLog(chunk: Tick["logs"][number]): void {
    try {
      this.#insertLog.run(chunk.task, chunk.attempt, chunk.stream, chunk.at.getTime(), chunk.text);
    } catch (error) {
      if (sqliteCode(error) === "SQLITE_CONSTRAINT_FOREIGNKEY") throw noTask(chunk.task);
      throw error;
    }
  }
}

/** Runs the insertion of a task; when it is refused, says why. */
function explained(task: NewTask, insert: () => unknown): void {
  try {
    insert();
  } catch (error) {
    const code = sqliteCode(error);
    if (code === "SQLITE_CONSTRAINT_CHECK") {
      throw new FlowError("FLOW_METADATA_BAD_ARGUMENT", {
        message: `Cannot record task number ${task.sequence}: it inherits from number ${task.inherits}, which is no earlier one`,
        cause: error,
      });
    }
    if (code?.startsWith("SQLITE_CONSTRAINT") !== true) throw error;
    throw new FlowError("FLOW_METADATA_CONFLICT", {
      message: `Cannot record the task ${task.step}/${task.path} (attempt ${task.attempt}): it is recorded already, or its number ${task.sequence} is taken`,
      context: { run: task.run, step: task.step, path: task.path, attempt: task.attempt, sequence: task.sequence },
      cause: error,
    });
  }
}

/** Whether all that is to be said of an end has a place in the short statement. */
function isPlain(end: FinishedTask, { terms }: RecordColumns): boolean {
  const { fanOut, choice, error, takenFrom, cancelledBy } = end;
  return (
    terms === null &&
    fanOut === undefined &&
    choice === undefined &&
    error === undefined &&
    takenFrom === undefined &&
    cancelledBy === undefined
  );
}

function withoutEnds(tick: Tick, tasks: ReadonlySet<TaskSequence>): Tick {
  const finished = tick.finished.filter(({ sequence }) => !tasks.has(sequence));
  return { ...tick, finished, reads: tick.reads.filter(({ task }) => !tasks.has(task)) };
}
