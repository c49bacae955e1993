/** Runs of another store, as they are taken over: everything that is recorded about them, with places instead of row numbers. */
import type { Digest, NewBlob } from "../artifact/artifact.ts";
import type { EnvironmentRecord } from "../events/run-record.ts";
import type { FlowIdentity } from "../flow/definition.ts";
import type { RunId } from "../ids/run-id.ts";
import type { ExecutionRow, RunOrigin, RunParent } from "./execution.ts";
import type { LogChunk } from "./log-row.ts";
import type {
  ArtifactRow,
  ItemPageRow,
  NewRunValue,
  NewUpstream,
  RunRow,
  TaskRow,
  UpstreamRead,
} from "./metadata-store.ts";
import type { MetricSeries } from "./metric.ts";
import type { RunSignature } from "./run-signature.ts";
import type { TagEvent } from "./tag-event.ts";

/** Where a run was imported from, when and by whom. It is kept with the run and never changes. */
export interface RunImport {
  /** Id of the store that ran it. */
  readonly store: string;
  /** What that store calls it: `shop/Train/17`. */
  readonly run: string;
  readonly at: Date;
  readonly actor: string;
  readonly host: string;
  /** What runs that it leads to are called there, as far as they did not come along. */
  readonly references: readonly { readonly id: RunId; readonly run: string }[];
  /** How its tags were moved in other stores, each with the events of this run from that store's log. */
  readonly tagLogs: readonly ForeignTagLog[];
}

export interface ForeignTagLog {
  readonly store: string;
  /** Ascending. */
  readonly events: readonly TagEvent[];
}

export interface ImportRuns {
  readonly runs: readonly ImportedRun[];
  readonly packages: readonly {
    readonly digest: Digest;
    readonly manifest: string;
    readonly blobs: readonly Digest[];
  }[];
  /** What is not in the records themselves is durable before. Asked for once in each try of the transaction. */
  readonly blobs: () => Iterable<NewBlob>;
}

/** What is recorded of a run that is over, without its rows. */
export interface ImportedFacts
  extends Pick<
    RunRow,
    "id" | "createdAt" | "startedAt" | "finishedAt" | "systemTags" | "parameters" | "secretParameters" | "failure"
  > {
  readonly flow: FlowIdentity;
  readonly status: "succeeded" | "failed" | "cancelled" | "lost";
  readonly endTask?: number;
  readonly taskCount: number;
  /** Number of its last execution. */
  readonly execution: number;
  readonly packageDigest?: Digest;
  readonly environment: EnvironmentRecord;
  readonly origin?: RunOrigin;
  readonly parent?: RunParent;
  /** Of the call that started it: with it the run of that step finds this one again. */
  readonly callInputs?: Digest;
  /** The digests of its beginning and its end, where it has them: the import is refused when its rows do not fit. */
  readonly startDigest?: Digest;
  readonly endDigest?: Digest;
  readonly imported: RunImport;
}

/** A run that is over. Its tasks are numbered from 0 here, in the order in which they were begun. */
export interface ImportedRun extends ImportedFacts {
  /** To be held here. */
  readonly tags: readonly string[];
  /** Its rows; those of a task come behind it. Asked for once in each try of the transaction. */
  readonly rows: () => Iterable<ImportedRow>;
}

export type ImportedRow =
  | { readonly kind: "execution"; readonly execution: Omit<ExecutionRow, "run"> }
  | { readonly kind: "value"; readonly value: NewRunValue }
  | { readonly kind: "upstream"; readonly upstream: NewUpstream }
  | { readonly kind: "task"; readonly task: ImportedTask }
  | { readonly kind: "artifact"; readonly task: number; readonly artifact: ArtifactRow }
  | { readonly kind: "page"; readonly task: number; readonly page: Omit<ItemPageRow, "split"> }
  | { readonly kind: "read"; readonly task: number; readonly read: Omit<UpstreamRead, "task"> }
  /** `first`: position of the first of the values. */
  | { readonly kind: "metric"; readonly task: number; readonly first: number; readonly series: MetricSeries }
  | { readonly kind: "log"; readonly task: number; readonly chunk: Omit<LogChunk, "task"> }
  /** The attempt that a task was taken over from; left out where that run is in neither store. */
  | { readonly kind: "signature"; readonly signature: RunSignature }
  | { readonly kind: "origin"; readonly task: number; readonly origin: TaskPlace };

/** An attempt, by names that mean the same in every store. */
export interface TaskPlace {
  readonly run: RunId;
  readonly step: string;
  readonly path: string;
  readonly attempt: number;
}

export interface ImportedTask extends Omit<TaskRow, "sequence" | "run" | "inherits" | "origin"> {
  /** From 0. */
  readonly place: number;
  readonly inherits?: number;
  /** Of a task that was not executed in its run. */
  readonly takenFrom?: "resume" | "cache";
  /** JSON: the artifacts that were not kept for ever. */
  readonly terms?: string;
  readonly recordDigest?: Digest;
}
