/**
 * The tables as TypeScript types, for Kysely. What the columns mean stands in docs/formats/schema.md; what they are made
 * of, in migrations/. Digests are 32 bytes, times whole milliseconds UTC, structured fields JSON text.
 */
import type { Generated } from "kysely";
import type { GoneReason } from "../../artifact/artifact.ts";
import type { RunStatus, TaskStatus } from "../../events/run-record.ts";
import type { ExecutionStatus } from "../execution.ts";
import type { RunValueKind } from "../metadata-store.ts";
import type { TagAction, TagEvent, TagRequest } from "../tag-event.ts";

export interface Schema {
  readonly store: StoreTable;
  readonly flow: FlowTable;
  readonly flow_name: FlowNameTable;
  readonly blob: BlobTable;
  readonly code_package: CodePackageTable;
  readonly code_package_blob: CodePackageBlobTable;
  readonly run: RunTable & RunDigestColumns;
  readonly execution: ExecutionTable & ExecutionDigestColumns;
  readonly child_run: ChildRunTable;
  readonly run_tag: RunTagTable;
  readonly run_parameter: RunParameterTable;
  readonly run_value: RunValueTable;
  readonly upstream: UpstreamTable;
  readonly task: TaskTable & TaskRecordColumns;
  readonly artifact: ArtifactTable;
  readonly item_page: ItemPageTable;
  readonly upstream_read: UpstreamReadTable;
  readonly log: LogTable;
  readonly tag_event: TagEventTable;
  readonly cache_entry: CacheEntryTable;
  readonly deleted_run: DeletedRunTable;
  readonly garbage: GarbageTable;
  readonly artifact_term: ArtifactTermTable;
  readonly gone_artifact: GoneArtifactTable;
  readonly metric: MetricTable;
  readonly run_metric: RunMetricTable;
  readonly tag_policy: TagPolicyTable;
  readonly tag_request: TagRequestTable;
  readonly webhook: WebhookTable;
  readonly webhook_delivery: WebhookDeliveryTable;
  readonly run_signature: RunSignatureTable;
  readonly webhook_number: WebhookNumberTable;
}

export interface StoreTable {
  readonly id: number;
  readonly store_id: string;
  readonly schema_version: number;
  readonly created_at: number;
  readonly next_task: number;
}

/** One line of history: a flow over all its renames. */
export interface FlowTable {
  readonly id: Generated<number>;
  readonly project: string;
  /** The name it goes by now. */
  readonly name: string;
  readonly last_number: number;
  readonly run_count: number;
  readonly newest_run: number;
}

/** Every name that a flow has or had. */
export interface FlowNameTable {
  readonly project: string;
  readonly name: string;
  readonly flow: number;
}

export interface BlobTable {
  readonly digest: Uint8Array;
  readonly size_bytes: number;
  readonly stored_bytes: number;
  readonly compression: "none" | "zstd";
  readonly stored: Uint8Array | null;
}

export interface CodePackageTable {
  readonly digest: Uint8Array;
  readonly manifest: string;
}

export interface CodePackageBlobTable {
  readonly package: Uint8Array;
  readonly digest: Uint8Array;
}

export interface RunTable {
  readonly sequence: Generated<number>;
  readonly id: string;
  readonly flow: number;
  readonly project: string;
  /** The name that the flow had when it ran: `Train/17` stays `Train/17` after a rename. */
  readonly flow_name: string;
  readonly number: number;
  readonly status: RunStatus;
  readonly created_at: number;
  readonly started_at: number | null;
  readonly finished_at: number | null;
  readonly end_task: number | null;
  readonly package_digest: Uint8Array | null;
  readonly system_tags: string;
  readonly parameters: string;
  readonly secret_parameters: string;
  readonly environment: string;
  readonly failure: string | null;
  /** Number of the current one. */
  readonly execution: number;
  readonly origin: string | null;
  readonly origin_facts: string | null;
  readonly parent: string | null;
}

/** Read by those who check alone: a reader of an older store has none of them. */
export interface RunDigestColumns {
  /** Over what the run was given; null when a program without schema 3 wrote it. */
  readonly start_digest: Uint8Array | null;
}

export interface ExecutionDigestColumns {
  /** Over how it ended its run. */
  readonly end_digest: Uint8Array | null;
}

export interface ExecutionTable {
  readonly run: number;
  readonly number: number;
  readonly runner: string;
  readonly actor: string;
  readonly command: string;
  readonly package_digest: Uint8Array | null;
  readonly options: string;
  readonly started_at: number;
  readonly heartbeat_at: number;
  readonly ended_at: number | null;
  readonly status: ExecutionStatus;
  /** The schema that the program knew; null in rows of programs that knew none after 2. */
  readonly program_schema: number | null;
}

/** The calls inside steps that started runs. */
export interface ChildRunTable {
  readonly run: number;
  readonly step: string;
  readonly path: string;
  readonly call: number;
  readonly inputs_digest: Uint8Array;
  readonly child: number;
}

export interface RunTagTable {
  readonly run: number;
  readonly tag: string;
  /** Kept beside the tag so that "newest succeeded run of a flow with this tag" is one step in an index. */
  readonly flow: number;
  readonly status: RunStatus;
}

export interface RunParameterTable {
  readonly run: number;
  readonly name: string;
  /** sha-256 of the canonical JSON of the encoded input. */
  readonly value_digest: Uint8Array;
}

export interface RunValueTable {
  readonly run: number;
  readonly name: string;
  readonly kind: RunValueKind;
  readonly codec: string;
  readonly digest: Uint8Array;
  readonly size_bytes: number;
}

export interface UpstreamTable {
  readonly run: number;
  readonly name: string;
  readonly flow_project: string | null;
  readonly flow_name: string;
  readonly selector: string;
  readonly producer: string | null;
  readonly candidate_count: number;
  readonly candidates: string;
  readonly resolved_at: number;
}

export interface TaskTable {
  readonly sequence: number;
  readonly run: number;
  readonly step: string;
  readonly path: string;
  readonly attempt: number;
  readonly status: TaskStatus;
  readonly started_at: number;
  readonly finished_at: number | null;
  readonly inherits: number | null;
  readonly fan_out: number | null;
  readonly choice: string | null;
  readonly error: string | null;
  readonly origin: number | null;
  readonly origin_kind: "resume" | "cache" | null;
  readonly value_reads: string | null;
  readonly cancelled_by: string | null;
  // The column item_digest is there and never used: an item cannot change under a task that is kept (see `Adoption`).
  readonly duration_ms: number | null;
}

/** As `RunDigestColumns`. */
export interface TaskRecordColumns {
  /** JSON: the artifacts that are not kept for ever, by name, and why each may be given up. */
  readonly terms: string | null;
  /** Over what it left and started from. */
  readonly record_digest: Uint8Array | null;
}

export interface ArtifactTable {
  readonly task: number;
  readonly name: string;
  readonly codec: string;
  readonly digest: Uint8Array;
  readonly size_bytes: number;
}

export interface ItemPageTable {
  readonly split: number;
  readonly first: number;
  readonly count: number;
  readonly codec: string;
  readonly digest: Uint8Array;
  readonly size_bytes: number;
}

export interface UpstreamReadTable {
  readonly run: number;
  readonly task: number;
  /** The upstream field; empty for a read through the client. */
  readonly upstream: string;
  readonly producer: string;
  readonly artifact: string;
  readonly codec: string;
  readonly digest: Uint8Array;
}

export interface LogTable {
  readonly sequence: Generated<number>;
  readonly task: number;
  readonly attempt: number;
  readonly stream: "stdout" | "stderr";
  readonly at: number;
  readonly text: string;
}

export interface TagEventTable {
  readonly sequence: number;
  readonly at: number;
  readonly actor: string;
  readonly host: string;
  readonly verb: TagEvent["verb"];
  readonly tag: string;
  readonly run: string | null;
  readonly via: string;
  readonly reason: string | null;
  readonly move: number | null;
  readonly action: TagAction | null;
  readonly from_run: string | null;
  readonly checks: string | null;
  readonly policy: string | null;
  readonly previous: Uint8Array;
  readonly digest: Uint8Array;
}

export interface CacheEntryTable {
  readonly key: Uint8Array;
  readonly task: number;
  readonly reads: string;
  readonly created_at: number;
  /** Null in what programs of schema 6 and older wrote, and of a task without a digest. */
  readonly record_digest: Uint8Array | null;
}

/** What is left of a run that was deleted. */
export interface DeletedRunTable {
  readonly id: string;
  readonly sequence: number;
  readonly flow: number;
  readonly project: string;
  readonly flow_name: string;
  readonly number: number;
  readonly status: RunStatus;
  readonly created_at: number;
  readonly deleted_at: number;
  readonly actor: string;
  readonly host: string;
  readonly via: string;
  readonly reason: string | null;
}

/** What nothing named when garbage collection looked. */
export interface GarbageTable {
  readonly kind: "blob" | "package";
  readonly digest: Uint8Array;
  readonly marked_at: number;
}

/** Artifacts that are not kept for ever. */
export interface ArtifactTermTable {
  readonly run: number;
  readonly task: number;
  readonly name: string;
  readonly transient: number;
  readonly expires_at: number | null;
}

/** Artifacts whose value was given up on purpose: what they were stays known. */
export interface GoneArtifactTable extends ArtifactTable {
  readonly reason: GoneReason;
  readonly gone_at: number;
}

/** A value that a task recorded; null stands for NaN. */
export interface MetricTable {
  readonly run: number;
  readonly name: string;
  readonly task: number;
  readonly position: number;
  readonly step: number | null;
  readonly value: number | null;
}

/** The last value of each name in a run, with the run's flow. */
export interface RunMetricTable extends Omit<MetricTable, "position"> {
  readonly flow: number;
}

export interface TagPolicyTable {
  readonly pattern: string;
  /** JSON, as in the event that set it. */
  readonly policy: string;
  /** Number of that event. */
  readonly event: number;
}

/** Tags that runs were asked to take when they succeed. */
export interface TagRequestTable {
  readonly run: number;
  readonly tag: string;
  readonly at: number;
  readonly actor: string;
  readonly host: string;
  readonly via: string;
  readonly reason: string | null;
  readonly status: TagRequest["status"];
  readonly why: string | null;
}

export interface WebhookTable {
  readonly id: number;
  readonly url: string;
  /** Null: every tag. */
  readonly pattern: string | null;
  /** Name of the environment variable that holds the secret. */
  readonly secret_env: string | null;
  readonly created_at: number;
  readonly actor: string;
  readonly host: string;
  readonly delivered_at: number | null;
}

/** One row: the highest number that a webhook ever had. */
export interface WebhookNumberTable {
  readonly id: number;
  readonly last_number: number;
}

/** Moves of tags that a webhook is still to be told of. */
export interface WebhookDeliveryTable {
  readonly webhook: number;
  /** Number of the event. */
  readonly event: number;
  readonly next_at: number;
  readonly attempts: number;
  readonly last_error: string | null;
}

export interface RunSignatureTable {
  readonly run: number;
  /** From 1, in the order in which they were added. */
  readonly position: number;
  readonly key_id: Uint8Array;
  /** What was signed, to the last character. */
  readonly statement: string;
  readonly signature: Uint8Array;
}
