/**
 * What travels between the main thread and a worker. Plain data that survives structured cloning; small byte strings are
 * exact-size arrays, because cloning a view clones all of the memory behind it.
 *
 * One message carries a batch: tasks of one step, run one after another. Success of a task is an explicit result; a worker
 * that ends without one has failed its tasks.
 */
import type { CodecId, Digest, NewBlob } from "../artifact/artifact.ts";
import type { SerializedError } from "../errors/flow-error.ts";
import type { RunEvent } from "../events/run-event.ts";
import type { FlowClass, TaskFailure } from "../flow/public-types.ts";
import type { RunId } from "../ids/run-id.ts";
import type { UpstreamRequest } from "../lineage/asked-upstream.ts";
import type {
  ItemPageRow,
  LogChunk,
  NewArtifact,
  RunSequence,
  TaskSequence,
  UpstreamRead,
} from "../metadata/metadata-store.ts";
import type { MetricSeries } from "../metadata/metric.ts";
import type { CacheOffer } from "../metadata/replay.ts";
import type { CachePlan } from "./cache-basis.ts";
import type { ReadyTask } from "./scheduler/scheduler.ts";

/** What every task of a run needs to know; the rest is read from the store by the worker itself. */
export interface RunContext {
  readonly id: RunId;
  readonly sequence: RunSequence;
  /** `Train/17`. */
  readonly name: string;
  readonly flow: string;
  readonly project: string;
  readonly tags: readonly string[];
  readonly createdAt: Date;
  /** Values of secret parameters: they live in messages only and are never stored. */
  readonly secrets: Readonly<Record<string, unknown>>;
}

/** What a worker needs to know of a step besides its code. */
export interface StepContract {
  readonly name: string;
  readonly foreach?: string;
  readonly on?: string;
  readonly cases?: readonly string[];
  readonly isJoin: boolean;
  /** Steps that may deliver to this join. */
  readonly sources: readonly string[];
  /** The step whose items it is executed for, one by one. */
  readonly split?: string;
  /** Whether no step follows. */
  readonly isLast?: boolean;
  /** Fields whose arrays its tasks share with others, and those that any step of the flow shares; absent where none does. */
  readonly shared?: { readonly own: readonly string[]; readonly all: readonly string[] };
}

/** Where a batch runs: batches of equal placement share workers. */
export interface Placement {
  readonly isolate: "thread" | "process";
  /** All memory of a process, which is ended when it holds more. */
  readonly memoryMb?: number;
  /** Environment variables, beside those of the program itself. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Environment variables whose values are masked in all that leaves the worker; never stored and never logged. */
  readonly secrets?: Readonly<Record<string, string>>;
}

export interface BatchTask extends ReadyTask {
  /** The task has failed for good, and its step catches that: its step is not called, the failure becomes its value. */
  readonly fallback?: { readonly field: string; readonly failure: TaskFailure };
}

export interface Batch {
  readonly run: RunContext;
  readonly step: StepContract;
  readonly tasks: readonly BatchTask[];
  /** Default: a thread with the program's own environment. */
  readonly placement?: Placement;
  /** Of a step that asked for the step cache. */
  readonly cache?: CachePlan;
  /** Whether the worker says when the task begins and can be told to abort it. Such a batch holds one task. */
  readonly isWatched?: boolean;
  /** Instead of tasks: a static method of the flow that is called with the finished run. */
  readonly hook?: HookName;
}

/** Static methods of a flow that are called when a run of it has ended. */
export type HookName = "onSuccess" | "onError";

/** What a task leaves that is complete: called, skipped and caught ones alike. */
export interface TaskYield {
  readonly artifacts: readonly NewArtifact[];
  readonly pages: readonly Omit<ItemPageRow, "split">[];
  readonly fanOut?: number;
  readonly choice?: string;
  /** What the step has recorded; of a task from the step cache, they are copied where its other rows are. */
  readonly metrics?: readonly MetricSeries[];
}

export type TaskOutcome =
  | ({
      readonly kind: "succeeded";
      /** Of a step in the step cache: offers the outcome to later runs. */
      readonly cache?: CacheOffer;
      /** Of a step that asked for the step cache: why the outcome is not offered. */
      readonly uncached?: string;
      /** The task of an earlier run whose outcome this is: the step was not called. */
      readonly takenFrom?: { readonly task: TaskSequence; readonly name: string };
    } & TaskYield)
  /** The user's own decorator decided that the step need not run. */
  | ({ readonly kind: "skipped"; readonly reason: string } & TaskYield)
  /** The task has failed, and its step keeps that as a value. */
  | ({ readonly kind: "caught" } & TaskYield)
  | { readonly kind: "failed"; readonly error: SerializedError }
  | { readonly kind: "cancelled" };

export interface TaskResult {
  readonly sequence: TaskSequence;
  readonly attempt: number;
  readonly startedAt: Date;
  readonly durationMs: number;
  readonly outcome: TaskOutcome;
  readonly blobs: readonly NewBlob[];
  readonly reads: readonly UpstreamRead[];
  /** Names of the parameters, configs, files, constants and secrets that the task read; absent when not known. */
  readonly valueReads?: readonly string[];
  /** Output that was not sent live yet. */
  readonly logs: readonly LogChunk[];
  /** How many chunks of output were sent live before. */
  readonly liveChunks: number;
}

/** Sent by a worker at any time, beside the results. */
export type WorkerMessage =
  | { readonly kind: "output"; readonly chunk: LogChunk }
  /** A task of a watched batch begins now. */
  | { readonly kind: "began"; readonly sequence: TaskSequence }
  /** Of a call that the worker has made (CallMessage). */
  | { readonly kind: "call-news"; readonly call: CallId; readonly news: CallNews }
  /** An error that belongs to no task that runs: a timer of a finished task threw, or a worker could not start. */
  | { readonly kind: "stray-error"; readonly error: SerializedError }
  /** The thread that ran this step does not end: its code gives nobody a chance to stop it. It is left alone. */
  | { readonly kind: "stuck"; readonly step: string }
  /** A task left its worker changed; told once for each step and each `what`. */
  | {
      readonly kind: "polluted";
      readonly step: string;
      /** What was found changed: `Object.prototype.left`, `the environment variable LEFT`, `a timer that repeats`. */
      readonly what: string;
      /** Whether another worker took its place; what changes too often is told, and then borne. */
      readonly isReplaced: boolean;
    };

/** Names a call among all calls of all workers. */
export type CallId = string;

/** A task asks for a run of a flow. Sent like other messages, with a way back that depends on the kind of worker. */
export interface CallMessage {
  readonly kind: "call";
  readonly call: CallId;
  /** The task that asks. */
  readonly sequence: TaskSequence;
  /** Which of its calls, from 0: with the first one the task has begun anew. */
  readonly index: number;
  readonly request: FlowRequest;
  /** What has become of it since it was made. */
  readonly news: readonly CallNews[];
}

/** Which flow is to be run, and with what. */
export interface FlowRequest {
  readonly flow:
    | { readonly kind: "file"; readonly file: string; readonly name?: string }
    /** Where the task runs in the thread of its runner. */
    | { readonly kind: "class"; readonly flowClass: FlowClass };
  /** Values by name. */
  readonly params: Readonly<Record<string, EncodedParam>>;
  readonly tags: readonly string[];
  readonly tagReason?: string;
  readonly upstreams: Readonly<Record<string, UpstreamRequest>>;
}

export interface EncodedParam {
  readonly codec: CodecId;
  readonly digest: Digest;
  readonly payload: Uint8Array;
}

/** What becomes of a call that is under way. */
export type CallNews =
  | { readonly kind: "awaited" }
  | { readonly kind: "watched" }
  | { readonly kind: "abort"; readonly reason: string }
  | { readonly kind: "end" };

/** What the main thread answers to a call, in this order; one of the last two ends it. */
export type CallReply =
  | { readonly kind: "event"; readonly event: RunEvent }
  /** The run has ended; its record says how. */
  | { readonly kind: "ended"; readonly run: RunId }
  | { readonly kind: "refused"; readonly error: SerializedError };

/** A call as the main thread hears it, with the way back. */
export interface HeardCall extends CallMessage {
  readonly reply: (reply: CallReply) => void;
}

/** What an executor tells of what workers send. */
export type HeardMessage = WorkerMessage | HeardCall;

/** Index into the shared control words that main and workers hold. */
export const CANCEL_WORD = 0;
