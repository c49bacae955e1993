/** Records as plain data: runs, tasks, what they left and read, and what is asked of them. */
import type { ArtifactRef, CodecId, Digest, NewBlob } from "../artifact/artifact.ts";
import type { FlowError, SerializedError } from "../errors/flow-error.ts";
import type { EnvironmentRecord, RunStatus, SelectorRecord, TaskStatus } from "../events/run-record.ts";
import type { FlowIdentity } from "../flow/definition.ts";
import type { RunId } from "../ids/run-id.ts";
import type { TaskPath } from "../ids/task-path.ts";
import type { ChildRunKey, ExecutionRow, NewExecution, RunOrigin, RunParent } from "./execution.ts";
import type { RunImport } from "./imported-run.ts";
import type { MetricCondition, MetricRow } from "./metric.ts";
import type { TakeOver, TaskOrigin } from "./replay.ts";

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

export interface MetricQuery {
  readonly run: RunSequence;
  readonly name: string;
  /** Only the values of this task. */
  readonly task?: TaskSequence;
  /** Only values behind this one: the key of the next page. */
  readonly after?: Pick<MetricRow, "task" | "position">;
  /** Default: all. */
  readonly limit?: number;
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

/** What a run is called. */
export type NamedRun = Pick<RunRow, "sequence" | "flow" | "number">;

export interface RunQuery {
  readonly flow?: { readonly project?: string; readonly name: string };
  /** All of them must be held. */
  readonly tags?: readonly string[];
  readonly status?: RunStatus;
  /** Encoded inputs that must be equal (compared as canonical JSON). */
  readonly parameters?: Readonly<Record<string, unknown>>;
  /** What last values of metrics must be; a run without a value, or with NaN, fits none. */
  readonly metrics?: readonly MetricCondition[];
  /** Only runs with a smaller sequence: the key of the next page. */
  readonly before?: RunSequence;
  /** Default 50, at most 1,000. */
  readonly limit?: number;
  /** Called for each run whose record cannot be read; it is left out then. Default: the first of them is thrown. */
  readonly onUnreadable?: (error: FlowError, run: RunSequence) => void;
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
