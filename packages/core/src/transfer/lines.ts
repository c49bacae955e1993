/**
 * The lines of the entries of an export file: docs/formats/export.md, field by field. What a line holds is the record of the
 * public API, with times as ISO 8601 and tasks by their place in the file instead of a store's own numbers.
 */

import { metricNameProblem } from "../ids/names.ts";
import { MAX_STATEMENT_CHARACTERS } from "../metadata/run-signature.ts";
import { z } from "../util/zod.ts";
import { MAX_METRIC_VALUES, MAX_TASKS } from "./limits.ts";
import * as of from "./shapes.ts";

const RUN_STATUS = ["succeeded", "failed", "cancelled", "lost"] as const;
const TASK_STATUS = ["succeeded", "failed", "caught", "cancelled", "lost", "skipped"] as const;
const task = z.int().min(0, "no task of the run").max(MAX_TASKS);
const stored = { codec: of.codec, digest: of.digest, sizeBytes: of.size };

export const runLine = z.strictObject({
  kind: z.literal("run"),
  id: of.runId,
  flow: z.strictObject({ project: of.project, name: of.name }),
  status: z.enum(RUN_STATUS),
  createdAt: of.time,
  startedAt: of.time.optional(),
  finishedAt: of.time.optional(),
  endTask: task.optional(),
  tasks: z.int().min(0).max(MAX_TASKS),
  executions: z.int().min(1).max(100_000),
  packageDigest: of.digest.optional(),
  systemTags: z.array(of.text).max(1_000),
  parameters: of.object,
  secretParameters: z.array(of.name).max(1_000),
  environment: of.environment,
  failure: z.strictObject({ task: of.text.optional(), error: of.error }).optional(),
  origin: z
    .strictObject({
      run: of.runId,
      fromStep: of.name.optional(),
      changedSteps: z.array(of.name).max(10_000).optional(),
      changedParameters: z.array(of.name).max(10_000).optional(),
    })
    .optional(),
  parent: z.strictObject({ run: of.runId, step: of.name, path: of.path, call: of.count }).optional(),
  /** Over what it was given, and over how it ended; runs of older programs have none. */
  startDigest: of.digest.optional(),
  endDigest: of.digest.optional(),
});

export const executionLine = z.strictObject({
  kind: z.literal("execution"),
  number: z.int().min(1).max(100_000),
  runner: of.runner,
  actor: of.text,
  command: z.array(of.text),
  packageDigest: of.digest.optional(),
  options: of.object,
  startedAt: of.time,
  heartbeatAt: of.time,
  endedAt: of.time.optional(),
  status: z.enum(RUN_STATUS),
});

export const valueLine = z.strictObject({
  kind: z.literal("value"),
  name: of.name,
  as: z.enum(["parameter", "constant", "config", "file"]),
  ...stored,
});

export const upstreamLine = z.strictObject({
  kind: z.literal("upstream"),
  name: of.name,
  flow: z.strictObject({ project: of.project.optional(), name: of.name }),
  selector: of.selector,
  producer: of.runId.optional(),
  candidateCount: of.count,
  candidates: z.array(of.text).max(1_000),
  resolvedAt: of.time,
});

export const taskLine = z.strictObject({
  kind: z.literal("task"),
  task,
  step: of.name,
  path: of.path,
  attempt: z.int().min(1).max(1_000_000),
  status: z.enum(TASK_STATUS),
  startedAt: of.time,
  finishedAt: of.time.optional(),
  inherits: task.optional(),
  fanOut: of.count.optional(),
  choice: of.text.optional(),
  error: of.error.optional(),
  takenFrom: z.enum(["resume", "cache"]).optional(),
  valueReads: z.array(of.name).max(10_000).optional(),
  cancelledBy: of.text.optional(),
  durationMs: z.number().min(0).optional(),
  /** JSON text: its artifacts that were not kept for ever, and why they may be given up. */
  terms: of.text.optional(),
  /** Over what it left. */
  recordDigest: of.digest.optional(),
});

export const artifactLine = z.strictObject({
  kind: z.literal("artifact"),
  task,
  name: of.name,
  ...stored,
  /** Its value was given up on purpose, and does not come along. */
  gone: z.strictObject({ reason: z.enum(["transient", "ttl"]), at: of.time }).optional(),
});
export const pageLine = z.strictObject({ kind: z.literal("page"), task, first: of.count, count: of.count, ...stored });
export const readLine = z.strictObject({
  kind: z.literal("read"),
  task,
  upstream: of.text.optional(),
  producer: of.runId,
  artifact: of.name,
  codec: of.codec,
  digest: of.digest,
});
/** A number, also where JSON has none for it. */
const number = z.union([z.number(), z.literal(["NaN", "Infinity", "-Infinity"])]);
const metricName = z.string().refine((value) => metricNameProblem(value) === undefined, "no name of a metric");
export const metricLine = z.strictObject({
  kind: z.literal("metric"),
  task,
  name: metricName,
  first: of.count,
  values: z.array(number).min(1).max(MAX_METRIC_VALUES),
  steps: z.array(z.int().min(0).nullable()).max(MAX_METRIC_VALUES).optional(),
});
export const logLine = z.strictObject({
  kind: z.literal("log"),
  task,
  attempt: z.int().min(0).max(1_000_000),
  stream: z.enum(["stdout", "stderr"]),
  at: of.time,
  text: z.string(),
});

/** Lines of `runs/ID/records.jsonl`, in this order. */
export const recordLine = z.discriminatedUnion("kind", [
  runLine,
  executionLine,
  valueLine,
  upstreamLine,
  taskLine,
  artifactLine,
  pageLine,
  readLine,
  metricLine,
  logLine,
]);
export type RecordLine = z.infer<typeof recordLine>;
export type RunLine = z.infer<typeof runLine>;

/** Lines of `runs/ID/tags.jsonl`: what the run holds, then the log of each store that moved its tags. */
export const tagLine = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("held"), tags: z.array(of.tag).max(1_000) }),
  z.strictObject({ kind: z.literal("log"), store: of.storeId }),
  z.strictObject({
    kind: z.literal("event"),
    sequence: z.int().min(1),
    at: of.time,
    actor: of.text,
    host: of.text,
    verb: z.enum(["add", "remove"]),
    tag: of.tag,
    run: of.runId,
    via: of.text,
    reason: of.text.optional(),
    // Of events of the second format.
    move: z.int().min(1).optional(),
    action: z.enum(["promote", "replace", "rollback", "request"]).optional(),
    from: of.runId.optional(),
    checks: z
      .array(
        z.strictObject({
          id: of.text,
          status: z.enum(["pass", "warn", "fail", "none"]),
          evidence: of.text.optional(),
        }),
      )
      .max(1_000)
      .optional(),
    previous: of.digest,
    digest: of.digest,
  }),
]);
export type TagLine = z.infer<typeof tagLine>;

/** Lines of `runs/ID/origins.jsonl`: the task, of this or another run, that a task was taken over from. */
export const originLine = z.strictObject({
  task,
  run: of.runId,
  step: of.name,
  path: of.path,
  attempt: z.int().min(1).max(1_000_000),
});
export type OriginLine = z.infer<typeof originLine>;

/** Lines of `runs/ID/signatures.jsonl`, in the order in which they were added. */
export const signatureLine = z.strictObject({
  keyId: of.digest,
  statement: z.string().max(MAX_STATEMENT_CHARACTERS),
  signature: z.string().regex(/^[0-9a-f]{128}$/, "no signature"),
});
export type SignatureLine = z.infer<typeof signatureLine>;

/** The newest form. Files of runs without signatures are of form 2, without metrics as well of form 1, which older versions read. */
export const FORMAT_VERSION = 3;
export const METRICS_VERSION = 2;

export const manifestRun = z.strictObject({
  kind: z.literal("run"),
  id: of.runId,
  status: z.enum(RUN_STATUS),
  /** The store that ran it, and its name there. */
  store: of.storeId,
  run: of.runAlias,
  /** Whether it was asked for; otherwise it came along as an upstream. */
  asked: z.boolean(),
  /** Of the call inside a step that started it. */
  callInputs: of.digest.optional(),
});
export type ManifestRun = z.infer<typeof manifestRun>;

/** Lines of `manifest.jsonl`, in this order; `end` is the last. */
export const manifestLine = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("export"), version: z.literal([1, METRICS_VERSION, FORMAT_VERSION]) }),
  manifestRun,
  z.strictObject({ kind: z.literal("reference"), of: of.runId, id: of.runId, run: of.runAlias }),
  z.strictObject({ kind: z.literal("entry"), name: z.string().max(100), sizeBytes: of.size, digest: of.digest }),
  z.strictObject({ kind: z.literal("blob"), digest: of.digest, sizeBytes: of.size }),
  z.strictObject({ kind: z.literal("end"), digest: of.digest }),
]);
export type ManifestLine = z.infer<typeof manifestLine>;

export const MANIFEST_NAME = "manifest.jsonl";
export const recordsName = (id: string): string => `runs/${id}/records.jsonl`;
export const tagsName = (id: string): string => `runs/${id}/tags.jsonl`;
export const originsName = (id: string): string => `runs/${id}/origins.jsonl`;
export const signaturesName = (id: string): string => `runs/${id}/signatures.jsonl`;
export const packageName = (digest: string): string => `packages/${digest}.json`;
export const blobName = (digest: string): string => `blobs/sha256/${digest.slice(0, 2)}/${digest}`;
