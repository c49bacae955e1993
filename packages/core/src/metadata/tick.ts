/** What happens in a run as it is recorded: in ticks, and at its end. */
import type { NewBlob } from "../artifact/artifact.ts";
import type { SerializedError } from "../errors/flow-error.ts";
import type { ArtifactTerm } from "../flow/definition.ts";
import type { LogChunk } from "./log-row.ts";
import type {
  ArtifactRow,
  ItemPageRow,
  NewTask,
  RunRow,
  RunSequence,
  TaskSequence,
  UpstreamRead,
} from "./metadata-store.ts";
import type { MetricSeries } from "./metric.ts";
import type { CacheOffer } from "./replay.ts";
import type { TagCheck } from "./tag-policy.ts";

/** An artifact to be recorded, and how long it is kept where that is not as long as its run. */
export interface NewArtifact extends ArtifactRow {
  readonly term?: ArtifactTerm;
}

export interface FinishedTask {
  readonly sequence: TaskSequence;
  readonly status: "succeeded" | "failed" | "caught" | "skipped" | "cancelled" | "lost";
  readonly finishedAt: Date;
  readonly error?: SerializedError;
  readonly fanOut?: number;
  readonly choice?: string;
  readonly artifacts: readonly NewArtifact[];
  readonly pages: readonly Omit<ItemPageRow, "split">[];
  /** One of each name. A task that did not end well has none. */
  readonly metrics?: readonly MetricSeries[];
  readonly valueReads?: readonly string[];
  readonly cancelledBy?: string;
  readonly durationMs?: number;
  readonly cache?: CacheOffer;
  /**
   * A task whose outcome this one has: its own artifacts, pages and metrics are copied, and it becomes the origin ("cache"). When that
   * one is not there any more, or not with all its values, this task does not end: `commitTick` says so.
   */
  readonly takenFrom?: TaskSequence;
}

/** All that happened in one run since the last tick, written in one transaction in this order. */
export interface Tick {
  readonly run: RunSequence;
  /** The execution that writes: refused when it is not the run's current one. */
  readonly execution: number;
  readonly started: readonly NewTask[];
  readonly blobs: readonly NewBlob[];
  readonly finished: readonly FinishedTask[];
  readonly reads: readonly UpstreamRead[];
  readonly logs: readonly LogChunk[];
}

export interface FinishRun {
  readonly run: RunSequence;
  /** The execution that writes: refused when it is not the run's current one. */
  readonly execution: number;
  readonly status: "succeeded" | "failed" | "cancelled";
  readonly finishedAt: Date;
  readonly endTask?: TaskSequence;
  readonly failure?: RunRow["failure"];
  /** Who caused the cancelling of tasks that are still running. Default: the task of `failure`. */
  readonly cancelledBy?: string;
  /** What was found of the run for tags that it was asked to take and whose policies ask for checks, by tag. */
  readonly tagChecks?: Readonly<Record<string, readonly TagCheck[]>>;
}
