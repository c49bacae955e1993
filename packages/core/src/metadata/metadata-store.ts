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
import type { ArtifactRef, BlobRow, CodecId, Digest, NewBlob } from "../artifact/artifact.ts";
import type { SerializedError } from "../errors/flow-error.ts";
import type { EnvironmentRecord, RunStatus, SelectorRecord, TaskStatus } from "../events/run-record.ts";
import type { FlowIdentity } from "../flow/definition.ts";
import type { RunId } from "../ids/run-id.ts";
import type { TaskPath } from "../ids/task-path.ts";
import type { DeletedRun } from "./deleted-run.ts";
import type { BeginExecution, ChildRunKey, ExecutionRow, NewExecution, RunOrigin, RunParent } from "./execution.ts";
import type { ImportRuns, RunImport } from "./imported-run.ts";
import type { LogChunk, LogQuery, LogRow, LogSequence } from "./log-row.ts";
import type { CacheEntry, FinishedTaskColumns, TakeOver, TaskOrigin } from "./replay.ts";
import type { TagActor, TagEvent, TagMove, TagPolicyChange, TagRequest } from "./tag-event.ts";
import type { TagPolicy } from "./tag-policy.ts";
import type { FinishRun, Tick } from "./tick.ts";
import type { WebhookStore } from "./webhook-store.ts";

export type { TaskReader } from "./task-reader.ts";
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

/** The store's own row number of a run; grows by creation. */
export type RunSequence = number & { readonly __brand: "RunSequence" };
/** The store's own row number of a task. */
export type TaskSequence = number & { readonly __brand: "TaskSequence" };

export interface RunRow {
  readonly sequence: RunSequence;
  readonly id: RunId;
  readonly flow: FlowIdentity;
  readonly number: number;
  readonly status: RunStatus;
  readonly createdAt: Date;
  readonly startedAt?: Date;
  readonly finishedAt?: Date;
  /** Held now, sorted. */
  readonly tags: readonly string[];
  readonly systemTags: readonly string[];
  /** Encoded inputs by name; secrets are not among them. */
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly secretParameters: readonly string[];
  readonly packageDigest?: Digest;
  readonly environment: EnvironmentRecord;
  readonly failure?: { readonly task?: string; readonly error: SerializedError };
  /** The end task, once it succeeded: its visible artifacts are what the run left behind. */
  readonly endTask?: TaskSequence;
  /** The current one; its number is how many there were. */
  readonly execution: Pick<ExecutionRow, "number" | "runner" | "startedAt" | "heartbeatAt">;
  /** Of a fork. */
  readonly origin?: RunOrigin;
  /** Of a run that was started inside a step. */
  readonly parent?: RunParent;
  /** Of a run that another store ran. */
  readonly imported?: RunImport;
}

export interface NewRun {
  readonly id: RunId;
  readonly flow: FlowIdentity;
  /** Earlier names of the flow, whose history it goes on. */
  readonly formerly: readonly string[];
  readonly createdAt: Date;
  /** Those under a policy become requests, the others are held from now on. */
  readonly tags: readonly string[];
  /** Why it is to have the tags, for policies that ask. */
  readonly tagReason?: string;
  readonly systemTags: readonly string[];
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly secretParameters: readonly string[];
  /** Parameters, constants, configs and files as values of the run, visible in every task. */
  readonly values: readonly NewRunValue[];
  readonly packageDigest?: Digest;
  readonly environment: EnvironmentRecord;
  readonly upstreams: readonly NewUpstream[];
  readonly blobs: readonly NewBlob[];
  readonly actor: string;
  readonly host: string;
  /** The first execution; its actor, package and begin are those of the run. */
  readonly execution: Pick<NewExecution, "runner" | "command" | "options">;
  readonly origin?: RunOrigin;
  /** Of a fork: the finished tasks that it begins with. */
  readonly takeOver?: TakeOver;
  readonly parent?: ChildRunKey;
}

export type RunValueKind = "parameter" | "constant" | "config" | "file";
export interface NewRunValue extends ArtifactRef {
  readonly name: string;
  readonly kind: RunValueKind;
}

export interface NewUpstream {
  readonly name: string;
  readonly flow: FlowIdentity | { readonly name: string };
  readonly selector: SelectorRecord;
  readonly producer?: RunId;
  readonly candidateCount: number;
  readonly candidates: readonly string[];
  readonly resolvedAt: Date;
}

export interface UpstreamRow extends NewUpstream {
  readonly run: RunSequence;
}

export interface NewTask {
  readonly sequence: TaskSequence;
  readonly run: RunSequence;
  readonly step: string;
  readonly path: TaskPath;
  readonly attempt: number;
  readonly startedAt: Date;
  /** The task whose visible artifacts this one starts with; absent for the start step and for joins. */
  readonly inherits?: TaskSequence;
}

export interface TaskRow extends NewTask {
  readonly status: TaskStatus;
  readonly finishedAt?: Date;
  readonly error?: SerializedError;
  /** For a finished foreach split: the number of its items. */
  readonly fanOut?: number;
  /** For a finished choose: the value of `on`. */
  readonly choice?: string;
  /** Of a task that was not executed in this run. */
  readonly origin?: TaskOrigin;
  /** Names of the run's values that it read (parameters, configs, files, constants, secrets); absent when not known. */
  readonly valueReads?: readonly string[];
  /** Who caused the cancelling: the name of a task, or "Ctrl-C". */
  readonly cancelledBy?: string;
  /** By a monotonic clock; absent when not known. */
  readonly durationMs?: number;
}

/** An artifact that a task set or changed; `visible` artifacts also count those inherited. */
export interface ArtifactRow extends ArtifactRef {
  readonly name: string;
}

/** Items `first` … `first + count - 1` of a foreach, as one blob (docs/formats/pages.md). */
export interface ItemPageRow extends ArtifactRef {
  readonly split: TaskSequence;
  readonly first: number;
  readonly count: number;
}

/** One artifact of an upstream run, or of any run read through the client inside a step. */
export interface UpstreamRead {
  readonly task: TaskSequence;
  /** The upstream field; absent for a read through the client. */
  readonly upstream?: string;
  readonly producer: RunId;
  readonly artifact: string;
  readonly codec: CodecId;
  readonly digest: Digest;
}

export interface RunQuery {
  readonly flow?: { readonly project?: string; readonly name: string };
  /** All of them must be held. */
  readonly tags?: readonly string[];
  readonly status?: RunStatus;
  /** Encoded inputs that must be equal (compared as canonical JSON). */
  readonly parameters?: Readonly<Record<string, unknown>>;
  /** Only runs with a smaller sequence: the key of the next page. */
  readonly before?: RunSequence;
  /** Default 50, at most 1,000. */
  readonly limit?: number;
}

export interface TaskQuery {
  readonly run: RunSequence;
  readonly step?: string;
  readonly path?: TaskPath;
  readonly status?: TaskStatus;
  /** Only the newest attempt of each task. Default false: all attempts. */
  readonly newest?: boolean;
  readonly after?: TaskSequence;
  readonly limit?: number;
}

export interface TaskCount {
  readonly step: string;
  readonly status: TaskStatus;
  readonly count: number;
  readonly attempts: number;
  /** How many of them have their outcome from the step cache. */
  readonly cached: number;
}

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
  /** How many match, without `before` and `limit`. */
  countRuns(query: RunQuery): Promise<number>;
  /** Every flow that has a run, by name, with its number of runs and its newest. */
  flows(): Promise<readonly { readonly flow: FlowIdentity; readonly runs: number; readonly newest: RunSequence }[]>;
  /** Tags in use, with the number of runs that hold them, most used first; runs filtered by flow. */
  tags(query: {
    readonly flow?: { readonly project?: string; readonly name: string };
  }): Promise<readonly { readonly tag: string; readonly runs: number; readonly newest: RunSequence }[]>;
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
  /** A stored code package: its manifest as JSON text. */
  package(digest: Digest): Promise<{ readonly digest: Digest; readonly manifest: string } | undefined>;
  close(): Promise<void>;
}

export interface MetadataStore extends MetadataReader {
  readonly webhooks: WebhookStore;
  /**
   * Creates a run as "running" with its first execution, its values, upstream edges, tags and tag events, and, of a run
   * that was started inside a step, the call that finds it again (FLOW_METADATA_CONFLICT when that call has a run).
   *
   * A fork begins with finished tasks of its origin (`takeOver`), which are taken over in the same transaction and by set
   * operations: nobody ever sees a fork without them. They get new numbers, attempt 1, and their artifacts, pages and
   * upstream reads; each names the task that it was taken over from as its origin. Runs that steps of the origin have
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
  commitTick(tick: Tick): Promise<void>;
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
  /** @throws FlowError FLOW_TAG_NO_POLICY */
  removeTagPolicy(pattern: string, by: TagActor): Promise<readonly TagEvent[]>;
}
