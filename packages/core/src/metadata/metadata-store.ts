/**
 * The contract of the records: runs, tasks, artifacts, tags, lineage. Metadata knows records and digests and keeps small
 * blobs; it knows nothing of values, threads or files.
 *
 * Clauses that hold for every back-end:
 * - A write that returned is durable. Each writing method is one transaction: all of it or nothing.
 * - `sequence` of a run grows by creation and is the only meaning of "newest"; nothing but creation ever sets it. Imported
 *   runs were created elsewhere: they stand below all runs that are there, in numbers below 0.
 * - `number` counts the runs of one flow identity from 1 and is never used again.
 * - A task counts as done only through `commitTick`, and a run is over only through `finishRun`. Tasks still running when
 *   a run ends without success are recorded as cancelled with it. A run that succeeded never changes; one that failed or
 *   was cancelled, or whose runner was lost, changes only through `beginExecution`.
 * - Executions of a run are numbered from 1, and only the current one writes: whoever comes with an older number is
 *   refused (FLOW_METADATA_FENCED), however late it wakes up.
 * - Nobody writes that a run is lost: every reader judges it by the runner of the current execution (`livenessOf`), and
 *   shows the run and those of its tasks that were running as "lost".
 * - An attempt at a task is a row of its own; the newest attempt is what the task is.
 * - Each move of a tag and each change of a policy appends to the log in its own transaction. Policies are looked at inside
 *   of the transaction that moves a tag, so that of many processes at once one holds an exclusive tag.
 * - A run that was deleted is gone with all that it named, but for its tombstone (`deletedRun`) and the tag log. Its number
 *   is never given again.
 * - A commit that names a value which is not stored any more is refused (FLOW_METADATA_MISSING_BLOB), wherever its bytes
 *   are kept.
 * - Artifacts with a term are given up in time: they are still listed, as `gone`, and name no blob any more. Transient ones
 *   are when their run succeeds.
 * - Reads give plain data; lists come in the order their comment names and in pages by key, never by offset.
 */
import type { BlobRow, Digest, NewBlob } from "../artifact/artifact.ts";
import type { FlowIdentity } from "../flow/definition.ts";
import type { RunId } from "../ids/run-id.ts";
import type { BucketRecords } from "./bucket-records.ts";
import type { DeletedRun } from "./deleted-run.ts";
import type { BeginExecution, ChildRunKey, ExecutionRow } from "./execution.ts";
import type { ImportRuns } from "./imported-run.ts";
import type { LineageQuery, LineageRows, LineageRuns } from "./lineage-rows.ts";
import type { LogChunk, LogQuery, LogRow, LogSequence } from "./log-row.ts";
import type { MetricRow, RunMetricRow, RunSort } from "./metric.ts";
import type {
  ArtifactRow,
  ItemPageRow,
  MetricQuery,
  NamedRun,
  NewRun,
  RunQuery,
  RunRow,
  RunSequence,
  RunValueKind,
  TaskCount,
  TaskQuery,
  TaskRow,
  TaskSequence,
  UpstreamRead,
  UpstreamRow,
} from "./record-rows.ts";
import type { CacheEntry, FinishedTaskColumns } from "./replay.ts";
import type { RunSignature } from "./run-signature.ts";
import type { TagActor, TagEvent, TagMove, TagPolicyChange, TagRequest } from "./tag-event.ts";
import type { TagPolicy } from "./tag-policy.ts";
import type { FinishRun, Tick } from "./tick.ts";
import type { WebhookStore } from "./webhook-store.ts";

export type * from "./record-rows.ts";
export type { RunSignature } from "./run-signature.ts";
export type { LeftArtifacts, TaskReader } from "./task-reader.ts";
export type { FinishedTask, FinishRun, NewArtifact, Tick } from "./tick.ts";
export type {
  BlobRow,
  DeletedRun,
  LogChunk,
  LogQuery,
  LogRow,
  LogSequence,
  NewBlob,
  TagActor,
  TagEvent,
  TagMove,
  TagPolicy,
  TagRequest,
};

/** Digests over the records of a run, lower-case hex; what a program without them wrote has none. */
export interface RunDigests {
  /** Over what it was given. */
  readonly start?: Digest;
  /** Over how it ended, of its current execution. */
  readonly end?: Digest;
  /** Over what each finished task left; `terms` as they are recorded (JSON). */
  readonly tasks: ReadonlyMap<TaskSequence, { readonly terms?: string; readonly digest: Digest }>;
}

/**
 * What of a run's records is looked at. "run": what it was given and how it ended; a task: its own rows and those of the tasks
 * that it starts from; else the rows of all tasks but those of some steps. What was found right of the first two is not looked
 * at again by the same reader.
 */
export type RecordPart = "run" | TaskSequence | { readonly exceptSteps: readonly string[] };

export interface MetadataReader {
  /** Version of the schema and id of this store. */
  info(): Promise<{ readonly schemaVersion: number; readonly storeId: string; readonly createdAt: Date }>;
  run(sequence: RunSequence): Promise<RunRow | undefined>;
  runById(id: RunId): Promise<RunRow | undefined>;
  runByNumber(flow: { readonly project?: string; readonly name: string }, number: number): Promise<readonly RunRow[]>;
  /** What is left of a run that was deleted. */
  deletedRun(id: RunId): Promise<DeletedRun | undefined>;
  deletedRunsByNumber(
    flow: { readonly project?: string; readonly name: string },
    number: number,
  ): Promise<readonly DeletedRun[]>;
  /** Newest first. */
  runs(query: RunQuery): Promise<readonly RunRow[]>;
  /** Names of the runs that `runs` gives: a tenth of the cost of their records, and records that cannot be read are named too. */
  runNames(query: RunQuery): Promise<readonly NamedRun[]>;
  /** The first ones in an order of their own instead of by age; `before` does not count. */
  sortedRuns(query: RunQuery, sort: RunSort): Promise<readonly RunRow[]>;
  /**
   * How many match, without `before` and `limit`.
   *
   * @param atMost counting ends there, however many more there are; default all are counted
   */
  countRuns(query: RunQuery, atMost?: number): Promise<number>;
  /** Every flow that has a run, by name, with its number of runs and its newest. */
  flows(): Promise<readonly { readonly flow: FlowIdentity; readonly runs: number; readonly newest: RunSequence }[]>;
  /** Tags in use, with the number of runs that hold them, most used first; runs filtered by flow. */
  tags(query: {
    readonly flow?: { readonly project?: string; readonly name: string };
  }): Promise<readonly { readonly tag: string; readonly runs: number; readonly newest: RunSequence }[]>;
  /** Tags in their order, from one on (default the first): those that runs of a flow hold among the first `limit` of all flows. */
  tagNames(query: {
    readonly flow: { readonly project?: string; readonly name: string };
    readonly from?: string;
    readonly limit: number;
  }): Promise<readonly string[]>;
  /** Moves and changes of policies, newest first; with `after`, those after that event and oldest first. */
  tagEvents(query: {
    readonly run?: RunId;
    readonly tag?: string;
    readonly before?: number;
    readonly after?: number;
    readonly limit?: number;
  }): Promise<readonly TagEvent[]>;
  /** By pattern. */
  tagPolicies(): Promise<readonly TagPolicy[]>;
  /** The tags under a policy that a run was asked to take, by tag. */
  tagRequests(run: RunSequence): Promise<readonly TagRequest[]>;
  /** Runs of a flow that hold a tag now, oldest first. */
  holders(flow: { readonly project?: string; readonly name: string }, tag: string): Promise<readonly RunRow[]>;
  runValues(run: RunSequence): Promise<readonly (ArtifactRow & { readonly kind: RunValueKind })[]>;
  upstreams(run: RunSequence): Promise<readonly UpstreamRow[]>;
  reads(run: RunSequence): Promise<readonly UpstreamRead[]>;
  /** Runs that name this run as a producer, the run whose step has started it, and forks that took it over, newest first. */
  consumers(producer: RunId, limit?: number): Promise<readonly RunRow[]>;
  /**
   * What leads from runs to those that they were made from ("up"), or to those that were made from them ("down"): the links
   * of all these runs and what was read along them, in one state of the store. Runs that this store does not know have none
   * upwards; downwards they may.
   *
   * @param query.artifact downwards: only reads of this artifact, and no other links
   */
  lineage(query: LineageQuery): Promise<LineageRows>;
  /** Runs by their ids, in no order: those of the store, and what is left of those that were deleted. */
  lineageRuns(ids: readonly RunId[]): Promise<LineageRuns>;
  /** The task that set what a task leaves visible under a name: itself, or one that it inherits from. */
  artifactTask(task: TaskSequence, name: string): Promise<TaskSequence | undefined>;
  /** The names of all that a task read, as it was kept for the step cache; undefined where it was not. */
  taskReads(task: TaskSequence): Promise<readonly string[] | undefined>;
  task(sequence: TaskSequence): Promise<TaskRow | undefined>;
  /** By sequence, ascending. */
  tasks(query: TaskQuery): Promise<readonly TaskRow[]>;
  /** Tasks of a run by step and status of their newest attempt; `attempts` counts all attempts at these tasks. */
  taskCounts(run: RunSequence): Promise<readonly TaskCount[]>;
  /** Every execution of a run, by number. */
  executions(run: RunSequence): Promise<readonly ExecutionRow[]>;
  /** The run that was started by a call inside a step. */
  childRun(key: ChildRunKey): Promise<RunRow | undefined>;
  /** Runs that were started inside steps of a run, in the order of their creation. */
  childRuns(parent: RunSequence, limit?: number): Promise<readonly RunRow[]>;
  childRunCount(parent: RunSequence): Promise<number>;
  /** The call that started a run; undefined for other runs, and where the run of that step is not in this store. */
  childCall(child: RunSequence): Promise<ChildRunKey | undefined>;
  /** What need not run again when the run goes on or is forked. */
  finishedTasks(run: RunSequence): Promise<FinishedTaskColumns>;
  /** Succeeded tasks that were offered under a key, newest first, at most `limit`. */
  cacheEntries(key: Digest, limit: number): Promise<readonly CacheEntry[]>;
  /** What a task set or changed itself, by name. */
  ownArtifacts(task: TaskSequence): Promise<readonly ArtifactRow[]>;
  /** What a task leaves visible: its own artifacts over those it inherits, by name. */
  visibleArtifacts(task: TaskSequence): Promise<readonly ArtifactRow[]>;
  visibleArtifact(task: TaskSequence, name: string): Promise<ArtifactRow | undefined>;
  /** The page that holds item `index` of a split. */
  itemPage(split: TaskSequence, index: number): Promise<ItemPageRow | undefined>;
  blob(digest: Digest): Promise<BlobRow | undefined>;
  /** The last value of each metric of a run, by name. */
  runMetrics(run: RunSequence): Promise<readonly RunMetricRow[]>;
  /** Values of a metric, task by task by number, each task's in their order. */
  metricValues(query: MetricQuery): Promise<readonly MetricRow[]>;
  /** What a task wrote, in the order in which it was committed. */
  logs(query: LogQuery): Promise<readonly LogRow[]>;
  /**
   * What all tasks of a run wrote after a piece of output, in the order in which it was committed.
   *
   * @param query.after as `next` of the page before; `logEnd()` for what is still to come
   * @param query.limit pieces at most
   * @returns `next`: where the following page begins; all of the store's output up to it has been looked at, so that a
   *   silent run beside a loud one costs a reader nothing
   */
  runLogs(query: {
    readonly run: RunSequence;
    readonly after: LogSequence;
    readonly limit: number;
  }): Promise<{ readonly rows: readonly LogRow[]; readonly next: LogSequence }>;
  /** The last piece of output of the whole store; 0 where there is none. */
  logEnd(): Promise<LogSequence>;
  /**
   * What is wrong with the records of a run, in words: rows that are not those over which a digest was written, and pages that do not
   * hold the items of their foreach. Rows of programs without digests are not judged. Empty when nothing is.
   *
   * @param part Default: all, which takes long where a run has many tasks
   */
  recordFaults(run: RunSequence, part?: RecordPart): Promise<readonly string[]>;
  /** The digests over the records of a run, for moving it. */
  recordDigests(run: RunSequence): Promise<RunDigests>;
  /** The signatures of a run, in the order in which they were added. */
  signatures(run: RunSequence): Promise<readonly RunSignature[]>;
  /** A stored code package: its manifest as JSON text. */
  package(digest: Digest): Promise<{ readonly digest: Digest; readonly manifest: string } | undefined>;
  close(): Promise<void>;
}

export interface MetadataStore extends MetadataReader {
  readonly webhooks: WebhookStore;
  /** What is known of the bucket in which the values lie, where they lie in one. */
  readonly bucket: BucketRecords;
  /**
   * Creates a run as "running" with its first execution, its values, upstream edges, tags and tag events, and, of a run
   * that was started inside a step, the call that finds it again (FLOW_METADATA_CONFLICT when that call has a run).
   *
   * A fork begins with finished tasks of its origin (`takeOver`), which are taken over in the same transaction and by set
   * operations: nobody ever sees a fork without them. They get new numbers, attempt 1, and their artifacts, pages, metrics
   * and upstream reads; each names the task that it was taken over from as its origin. Runs that steps of the origin have
   * started and that succeeded are found by the same calls of the fork, also where the calling task itself runs again
   * because it did not finish.
   * Of forks of one run that have the same code, are given the same and run the same again, one is executed at a time.
   *
   * @throws FlowError FLOW_METADATA_BAD_ARGUMENT when a task would be taken over without the one that it inherits from,
   *   FLOW_METADATA_RUN_ALIVE when a fork that does the same is running (its context names that one),
   *   FLOW_METADATA_NO_RUN when the run that is taken over from, or the one whose step calls, is not there,
   *   FLOW_METADATA_RUN_DELETED when it is to read from a run that was deleted meanwhile
   */
  createRun(run: NewRun): Promise<RunRow>;
  /**
   * Continues a run that failed, was cancelled or was lost: it is running again under a new execution, what it ended
   * with is taken back, and tasks that were running are lost. The execution before is fenced from now on.
   *
   * @returns the number of the new execution
   * @throws FlowError FLOW_METADATA_RUN_ALIVE when its runner lives (of two at once, one gets this),
   *   FLOW_METADATA_RUN_FINAL when it succeeded, FLOW_METADATA_NO_RUN
   */
  beginExecution(begin: BeginExecution): Promise<number>;
  /**
   * Says that the runner of an execution lives.
   *
   * @throws FlowError FLOW_METADATA_FENCED, FLOW_METADATA_RUN_FINAL, FLOW_METADATA_NO_RUN
   */
  heartbeat(run: RunSequence, execution: number, at: Date): Promise<void>;
  /** Row numbers for tasks to come; never given twice, also not to another process. */
  reserveTasks(count: number): Promise<TaskSequence>;
  /**
   * Records what happened in a run since the last tick.
   *
   * @returns the tasks whose `takenFrom` was deleted meanwhile, or has values that are not kept any more: they have begun and
   *   not ended, as if the tick had not named their end
   */
  commitTick(tick: Tick): Promise<readonly TaskSequence[]>;
  finishRun(finish: FinishRun): Promise<RunRow>;
  /** Code package: manifest as JSON text; its files are blobs. Storing one that is there changes nothing. */
  putPackage(pack: {
    readonly digest: Digest;
    readonly manifest: string;
    readonly blobs: readonly NewBlob[];
  }): Promise<void>;
  /**
   * Takes over runs of another store with all their rows, blobs first, or none of them. A run keeps its id and gets the next
   * number of its flow; it is older than every run that is there, and of several the later one is the newer. Tags go through
   * the log of this store.
   *
   * @returns the runs, in the order in which they were given
   * @throws FlowError FLOW_METADATA_CONFLICT when one of them is there already, FLOW_METADATA_MISSING_BLOB
   */
  importRuns(input: ImportRuns): Promise<readonly RunRow[]>;
  /**
   * Adds and removes tags of one run; adding a held tag or removing an absent one is no event. An exclusive tag is taken
   * from the run that holds it in the same transaction. A tag under a policy that is given to a run which is not over
   * becomes a request (`tagRequests`), and moves in the transaction of `finishRun` that makes the run succeeded.
   *
   * @returns the new events, also those of runs that lost a tag
   * @throws FlowError FLOW_TAG_NOT_ALLOWED, FLOW_TAG_REASON_REQUIRED, FLOW_TAG_NOT_SUCCEEDED, FLOW_TAG_TOO_OLD,
   *   FLOW_TAG_CHECK_FAILED, FLOW_TAG_NOT_EXPECTED, FLOW_TAG_TOO_MANY
   */
  moveTags(move: TagMove): Promise<readonly TagEvent[]>;
  /**
   * Sets the policy of a pattern, in place of the one before.
   *
   * @returns the new events: none when the policy is there as it is
   * @throws FlowError FLOW_TAG_BAD_POLICY, FLOW_TAG_SEVERAL_HOLDERS
   */
  setTagPolicy(change: TagPolicyChange): Promise<readonly TagEvent[]>;
  /**
   * Adds a signature to those of a run. None is ever changed; they go when the run is deleted.
   *
   * @throws FlowError FLOW_METADATA_NO_RUN, FLOW_METADATA_BAD_ARGUMENT for a statement of another run, FLOW_SIGN_TOO_MANY
   */
  addSignature(run: RunSequence, signature: RunSignature): Promise<void>;
  /** @throws FlowError FLOW_TAG_NO_POLICY */
  removeTagPolicy(pattern: string, by: TagActor): Promise<readonly TagEvent[]>;
}
