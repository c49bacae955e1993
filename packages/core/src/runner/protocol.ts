/**
 * What travels between the main thread and a worker. Plain data that survives structured cloning; small byte strings are
 * exact-size arrays, because cloning a view clones all of the memory behind it.
 *
 * One message carries a batch: tasks of one step, run one after another. Success of a task is an explicit result; a worker
 * that ends without one has failed its tasks.
 */
import type { NewBlob } from "../artifact/artifact.ts";
import type { SerializedError } from "../errors/flow-error.ts";
import type { RunId } from "../ids/run-id.ts";
import type {
  ArtifactRow,
  ItemPageRow,
  LogChunk,
  RunSequence,
  TaskSequence,
  UpstreamRead,
} from "../metadata/metadata-store.ts";
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
}

export interface Batch {
  readonly run: RunContext;
  readonly step: StepContract;
  readonly tasks: readonly (ReadyTask & { readonly attempt: number })[];
}

export interface TaskResult {
  readonly sequence: TaskSequence;
  readonly attempt: number;
  readonly startedAt: Date;
  readonly durationMs: number;
  readonly outcome:
    | {
        readonly kind: "succeeded";
        readonly artifacts: readonly ArtifactRow[];
        readonly pages: readonly Omit<ItemPageRow, "split">[];
        readonly fanOut?: number;
        readonly choice?: string;
      }
    | { readonly kind: "failed"; readonly error: SerializedError }
    | { readonly kind: "cancelled" };
  readonly blobs: readonly NewBlob[];
  readonly reads: readonly UpstreamRead[];
  /** Output that was not sent live yet. */
  readonly logs: readonly LogChunk[];
  /** How many chunks of output were sent live before. */
  readonly liveChunks: number;
}

/** Sent by a worker at any time, beside the results. */
export type WorkerMessage =
  | { readonly kind: "output"; readonly chunk: LogChunk }
  /** An error that belongs to no task that runs: a timer of a finished task threw, or a worker could not start. */
  | { readonly kind: "stray-error"; readonly error: SerializedError };

/** Index into the shared control words that main and workers hold. */
export const CANCEL_WORD = 0;
