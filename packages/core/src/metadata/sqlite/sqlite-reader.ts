import type { Digest } from "../../artifact/artifact.ts";
import { FlowError } from "../../errors/flow-error.ts";
import type { RunId } from "../../ids/run-id.ts";
import type { DeletedRun } from "../deleted-run.ts";
import type { ChildRunKey, ExecutionRow } from "../execution.ts";
import type { LineageQuery, LineageRows, LineageRuns } from "../lineage-rows.ts";
import type { Liveness } from "../liveness.ts";
import type {
  ArtifactRow,
  BlobRow,
  ItemPageRow,
  LogQuery,
  LogRow,
  LogSequence,
  MetadataReader,
  MetricQuery,
  NamedRun,
  RecordPart,
  RunDigests,
  RunQuery,
  RunRow,
  RunSequence,
  RunSignature,
  RunValueKind,
  TagEvent,
  TagPolicy,
  TagRequest,
  TaskCount,
  TaskQuery,
  TaskRow,
  TaskSequence,
  UpstreamRead,
  UpstreamRow,
} from "../metadata-store.ts";
import type { MetricRow, RunMetricRow, RunSort } from "../metric.ts";
import type { CacheEntry, FinishedTaskColumns } from "../replay.ts";
import * as artifacts from "../sql/artifacts.ts";
import { blobByDigest } from "../sql/blobs.ts";
import { cacheEntries } from "../sql/cache.ts";
import { toCacheEntries } from "../sql/cache-rows.ts";
import { deletedRunById, deletedRunsByNumber } from "../sql/deletions.ts";
import * as executions from "../sql/executions.ts";
import { packageByDigest, storeInfo } from "../sql/packages.ts";
import * as map from "../sql/rows.ts";
import * as runs from "../sql/runs.ts";
import { tagPolicies, tagRequestsOfRun } from "../sql/tag-policies.ts";
import * as upstreams from "../sql/upstreams.ts";
import type { Connection } from "./connection.ts";
import { readFinishedTasks } from "./finished-tasks.ts";
import { readArtifactTask, readLineage, readLineageRuns, readTaskReads } from "./lineage-reads.ts";
import { lastLog, readLogs, readRunLogs } from "./log-reads.ts";
import { readMetricValues, readRunMetrics, readSortedRuns } from "./metric-reads.ts";
import { nameRow } from "./name-row.ts";
import { describeMismatches, readDigests } from "./record-faults.ts";
import { describeRunFaults } from "./run-faults.ts";
import {
  countRuns,
  type FlowName,
  flowIds,
  readFlows,
  readRun,
  readRunNames,
  readRuns,
  readRunsByNumber,
  withTags,
} from "./run-reads.ts";
import { readSignatures } from "./signatures.ts";
import { metadataError } from "./sqlite-error.ts";
import { Statements } from "./statements.ts";
import {
  readHolders,
  readTagEvents,
  readTagNames,
  readTags,
  type TagEventQuery,
  type TagNameQuery,
} from "./tag-reads.ts";
import { readTask, readTaskCounts, readTasks } from "./task-reads.ts";
import type { WriteTurns } from "./write-turns.ts";

/**
 * The reading half of a store in SQLite. Each method is one read transaction: it sees one state of the store, however
 * many statements it needs. The statements run at once; what is awaited is at most a lock.
 */
export class SqliteReader implements MetadataReader {
  protected readonly db: Connection;
  protected readonly file: string;
  protected readonly statements: Statements;
  protected readonly turns: WriteTurns;
  protected readonly liveness: Liveness | undefined;

  /** @param liveness  without it, runs are shown as they are stored */
  constructor(db: Connection, file: string, turns: WriteTurns, liveness: Liveness | undefined) {
    this.db = db;
    this.file = file;
    this.turns = turns;
    this.liveness = liveness;
    this.statements = new Statements(db);
  }

  info() {
    return this.read((on) => {
      const row = on.get(storeInfo, {})!;
      return { schemaVersion: row.schema_version, storeId: row.store_id, createdAt: new Date(row.created_at) };
    });
  }

  run(sequence: RunSequence): Promise<RunRow | undefined> {
    return this.read((on) => readRun(on, sequence, this.liveness));
  }

  runById(id: RunId): Promise<RunRow | undefined> {
    return this.read((on) => {
      const row = on.get(runs.runById, { id });
      return row === undefined ? undefined : withTags(on, row, this.liveness);
    });
  }

  runByNumber(flow: FlowName, number: number): Promise<readonly RunRow[]> {
    return this.read((on) => readRunsByNumber(on, flow, number, this.liveness));
  }

  deletedRun(id: RunId): Promise<DeletedRun | undefined> {
    return this.read((on) => {
      const row = on.get(deletedRunById, { id });
      return row === undefined ? undefined : map.toDeletedRun(row);
    });
  }

  deletedRunsByNumber(flow: FlowName, number: number): Promise<readonly DeletedRun[]> {
    return this.read((on) =>
      flowIds(on, flow).flatMap((id) => on.all(deletedRunsByNumber, { flow: id, number }).map(map.toDeletedRun)),
    );
  }

  runs(query: RunQuery): Promise<readonly RunRow[]> {
    return this.read((on) => readRuns(on, query, this.liveness));
  }

  runNames(query: RunQuery): Promise<readonly NamedRun[]> {
    return this.read((on) => readRunNames(on, query, this.liveness));
  }

  sortedRuns(query: RunQuery, sort: RunSort): Promise<readonly RunRow[]> {
    return this.read((on) => readSortedRuns(on, query, sort, this.liveness));
  }

  async countRuns(query: RunQuery, atMost?: number): Promise<number> {
    checkPageLimit(atMost);
    return this.read((on) => countRuns(on, query, this.liveness, atMost));
  }

  flows() {
    return this.read((on) => readFlows(on).map((row) => ({ ...row, newest: row.newest as RunSequence })));
  }

  tags(query: { readonly flow?: FlowName }) {
    return this.read((on) => readTags(on, query.flow));
  }

  async tagNames(query: TagNameQuery): Promise<readonly string[]> {
    checkPageLimit(query.limit);
    return this.read((on) => readTagNames(on, query));
  }

  async tagEvents(query: TagEventQuery): Promise<readonly TagEvent[]> {
    checkPageLimit(query.limit);
    return this.read((on) => readTagEvents(on, query));
  }

  tagPolicies(): Promise<readonly TagPolicy[]> {
    return this.read((on) => on.all(tagPolicies, {}).map(map.toTagPolicy));
  }

  tagRequests(run: RunSequence): Promise<readonly TagRequest[]> {
    return this.read((on) => on.all(tagRequestsOfRun, { run }).map(map.toTagRequest));
  }

  holders(flow: FlowName, tag: string): Promise<readonly RunRow[]> {
    return this.read((on) => readHolders(on, flow, tag).map((run) => readRun(on, run, this.liveness)!));
  }

  runValues(run: RunSequence): Promise<readonly (ArtifactRow & { readonly kind: RunValueKind })[]> {
    return this.read((on) => on.all(runs.runValues, { run }).map(map.toRunValue));
  }

  upstreams(run: RunSequence): Promise<readonly UpstreamRow[]> {
    return this.read((on) => on.all(upstreams.upstreamsOfRun, { run }).map(map.toUpstreamRow));
  }

  reads(run: RunSequence): Promise<readonly UpstreamRead[]> {
    return this.read((on) => on.all(upstreams.readsOfRun, { run }).map(map.toUpstreamRead));
  }

  async consumers(producer: RunId, limit?: number): Promise<readonly RunRow[]> {
    checkPageLimit(limit);
    const shape = { limit: limit !== undefined };
    return this.read((on) => {
      const found = on
        .all(
          on.shaped(`consumers ${shape.limit}`, () => upstreams.consumers(shape)),
          { producer, limit: limit ?? 0 },
        )
        .map(({ run }) => run);
      const parents = on.all(executions.parentRuns, { id: producer }).map(({ run }) => run);
      return [...new Set([...found, ...parents])]
        .sort((left, right) => right - left)
        .slice(0, limit)
        .map((run) => readRun(on, run, this.liveness)!);
    });
  }

  lineage(query: LineageQuery): Promise<LineageRows> {
    return this.read(() => readLineage(this.db, query));
  }

  lineageRuns(ids: readonly RunId[]): Promise<LineageRuns> {
    return this.read((on) => readLineageRuns(this.db, on, ids, this.liveness));
  }

  artifactTask(task: TaskSequence, name: string): Promise<TaskSequence | undefined> {
    return this.read(() => readArtifactTask(this.db, task, name));
  }

  taskReads(task: TaskSequence): Promise<readonly string[] | undefined> {
    return this.read(() => readTaskReads(this.db, task));
  }

  executions(run: RunSequence): Promise<readonly ExecutionRow[]> {
    return this.read((on) => on.all(executions.executionsOfRun, { run }).map(map.toExecutionRow));
  }

  childRun(key: ChildRunKey): Promise<RunRow | undefined> {
    const { run, step, path, call, inputsDigest } = key;
    return this.read((on) => {
      const row = on.get(executions.childRun, {
        run,
        step,
        path,
        call,
        inputs_digest: map.bytesOfDigest(inputsDigest),
      });
      return row === undefined ? undefined : readRun(on, row.child, this.liveness);
    });
  }

  async childRuns(parent: RunSequence, limit?: number): Promise<readonly RunRow[]> {
    checkPageLimit(limit);
    const shape = { limit: limit !== undefined };
    return this.read((on) =>
      on
        .all(
          on.shaped(`child runs ${shape.limit}`, () => executions.childRuns(shape)),
          { run: parent, limit: limit ?? 0 },
        )
        .map(({ child }) => readRun(on, child, this.liveness)!),
    );
  }

  childRunCount(parent: RunSequence): Promise<number> {
    return this.read((on) => on.get(executions.childRunCount, { run: parent })!.count);
  }

  childCall(child: RunSequence): Promise<ChildRunKey | undefined> {
    return this.read((on) => {
      const row = on.get(executions.childCall, { child });
      if (row === undefined) return undefined;
      const { step, path, call } = row;
      return { run: row.run as RunSequence, step, path, call, inputsDigest: map.digestOfBytes(row.inputs_digest) };
    });
  }

  task(sequence: TaskSequence): Promise<TaskRow | undefined> {
    return this.read((on) => readTask(on, sequence, this.liveness));
  }

  async tasks(query: TaskQuery): Promise<readonly TaskRow[]> {
    checkPageLimit(query.limit);
    return this.read((on) => readTasks(on, query, this.liveness));
  }

  taskCounts(run: RunSequence): Promise<readonly TaskCount[]> {
    return this.read((on) => readTaskCounts(on, run, this.liveness));
  }

  finishedTasks(run: RunSequence): Promise<FinishedTaskColumns> {
    return this.read((on) => readFinishedTasks(on, run));
  }

  async cacheEntries(key: Digest, limit: number): Promise<readonly CacheEntry[]> {
    checkPageLimit(limit);
    const query = { key: map.bytesOfDigest(key), exceptRun: 0, limit }; // No run has the number 0.
    return this.read((on) => toCacheEntries(key, on.all(cacheEntries, query)));
  }

  ownArtifacts(task: TaskSequence): Promise<readonly ArtifactRow[]> {
    return this.read((on) => on.all(artifacts.ownArtifacts, { task }).map(map.toArtifactRow));
  }

  visibleArtifacts(task: TaskSequence): Promise<readonly ArtifactRow[]> {
    return this.read((on) => map.toVisibleArtifacts(on.all(artifacts.visibleArtifacts, { task })));
  }

  visibleArtifact(task: TaskSequence, name: string): Promise<ArtifactRow | undefined> {
    return this.read((on) => {
      const row = on.get(artifacts.visibleArtifact, { task, name });
      return row === undefined ? undefined : map.toVisibleArtifact(row);
    });
  }

  itemPage(split: TaskSequence, index: number): Promise<ItemPageRow | undefined> {
    return this.read((on) => map.toItemPage(on.get(artifacts.itemPage, { split, index }), index));
  }

  signatures(run: RunSequence): Promise<readonly RunSignature[]> {
    return this.read((on) => readSignatures(on, run));
  }

  blob(digest: Digest): Promise<BlobRow | undefined> {
    return this.read((on) => {
      const row = on.get(blobByDigest, { digest: map.bytesOfDigest(digest) });
      return row === undefined ? undefined : map.toBlobRow(row);
    });
  }

  runMetrics(run: RunSequence): Promise<readonly RunMetricRow[]> {
    return this.read((on) => readRunMetrics(on, run));
  }

  async metricValues(query: MetricQuery): Promise<readonly MetricRow[]> {
    checkPageLimit(query.limit);
    return this.read((on) => readMetricValues(on, query));
  }

  async logs(query: LogQuery): Promise<readonly LogRow[]> {
    checkPageLimit(query.limit);
    return this.read((on) => readLogs(on, query));
  }

  async runLogs(query: { readonly run: RunSequence; readonly after: LogSequence; readonly limit: number }) {
    checkPageLimit(query.limit);
    return this.read((on) => readRunLogs(on, query));
  }

  logEnd(): Promise<LogSequence> {
    return this.read(lastLog);
  }

  package(digest: Digest): Promise<{ readonly digest: Digest; readonly manifest: string } | undefined> {
    return this.read((on) => {
      const row = on.get(packageByDigest, { digest: map.bytesOfDigest(digest) });
      return row === undefined ? undefined : { digest, manifest: row.manifest };
    });
  }

  recordFaults(run: RunSequence, part?: RecordPart): Promise<readonly string[]> {
    return this.read(() =>
      part === undefined ? describeRunFaults(this.db, run) : describeMismatches(this.db, run, part),
    );
  }

  recordDigests(run: RunSequence): Promise<RunDigests> {
    return this.read(() => readDigests(this.db, run));
  }

  async close(): Promise<void> {
    await this.turns.settled();
    this.db.close(); // the last connection of all processes also writes the log back into the database
  }

  /** Runs statements in one read transaction. */
  protected async read<T>(work: (on: Statements) => T): Promise<T> {
    this.checkOpen();
    try {
      return await this.turns.retry(() => {
        this.checkOpen();
        return this.db.transaction(() => work(this.statements)).deferred();
      });
    } catch (error) {
      throw metadataError("Cannot read the records", this.file, nameRow(this.db, error));
    }
  }

  protected checkOpen(): void {
    if (this.db.open) return;
    throw new FlowError("FLOW_METADATA_CLOSED", {
      message: `Cannot use the records in "${this.file}": they are closed`,
    });
  }
}

function checkPageLimit(limit: number | undefined): void {
  if (limit === undefined || (Number.isSafeInteger(limit) && limit >= 1)) return;
  throw new FlowError("FLOW_METADATA_BAD_ARGUMENT", {
    message: `Cannot read a page of ${limit} rows: it must have at least one`,
  });
}
