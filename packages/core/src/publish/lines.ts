/** Lines of a run's manifest and of the log, field by field: docs/formats/bucket.md. Fields that are not known are passed over. */

import { FlowError } from "../errors/flow-error.ts";
import type { RunImport } from "../metadata/imported-run.ts";
import type { LogLine } from "../metadata/record-rebuild.ts";
import { MAX_STATEMENT_CHARACTERS } from "../metadata/run-signature.ts";
import { BadContent, parseLine } from "../transfer/json-lines.ts";
import { MAX_LINE_BYTES, MAX_TASKS } from "../transfer/limits.ts";
import { originLine, recordLine } from "../transfer/lines.ts";
import * as of from "../transfer/shapes.ts";
import { z } from "../util/zod.ts";
import { BUCKET_FORMAT } from "./layout.ts";

/**
 * What is about to be written is what a reader takes: an object that nobody reads would stop every rebuild.
 *
 * @param of where it is to stand
 * @throws FlowError FLOW_INTERNAL
 */
export function checkLine(of: string, line: string | Uint8Array, shape: z.ZodType): void {
  try {
    if (Buffer.byteLength(line) > MAX_LINE_BYTES) throw new BadContent("a line in it is too long");
    parseLine(typeof line === "string" ? line : Buffer.from(line).toString(), shape);
  } catch (error) {
    if (!(error instanceof BadContent)) throw error;
    throw new FlowError("FLOW_INTERNAL", {
      message: `Cannot write ${of} into the bucket: nobody could read it, since ${error.message}`,
      cause: error,
    });
  }
}

const sequence = z.int();
const time = z.int();
const task = z.int().min(0).max(MAX_TASKS);
const textOrNull = of.text.nullable();
const compression = z.literal(["none", "zstd"]);

const imported = z.custom<RunImport>(
  (value) =>
    z
      .object({
        store: of.storeId,
        run: of.runAlias,
        at: of.time,
        actor: of.text,
        host: of.text,
        references: z.array(z.object({ id: of.runId, run: of.runAlias })),
        tagLogs: z.array(z.object({ store: of.storeId, events: z.array(of.object) })),
      })
      .safeParse(value).success,
  "nothing that an import leaves",
);

export const headLine = z.object({
  kind: z.literal("manifest"),
  version: z.literal(BUCKET_FORMAT),
  store: of.storeId,
  id: of.runId,
  execution: z.int().min(1),
  sequence,
  number: z.int().min(1),
  flow: z.int().min(1),
  callInputs: of.digest.optional(),
  imported: imported.optional(),
});
export type HeadLine = z.infer<typeof headLine>;

export const callLine = z.object({
  kind: z.literal("call"),
  step: of.name,
  path: of.path,
  call: of.count,
  inputs: of.digest,
  child: of.runId,
});
export const termLine = z.object({
  kind: z.literal("term"),
  task,
  name: of.name,
  transient: z.boolean(),
  expiresAt: time.nullable(),
});
export const offerLine = z.object({
  kind: z.literal("offer"),
  task,
  key: of.digest,
  reads: z.string(),
  createdAt: time,
  recordDigest: of.digest.optional(),
});
export const packageLine = z.object({ kind: z.literal("package"), digest: of.digest });
export const blobLine = z.object({
  kind: z.literal("blob"),
  digest: of.digest,
  sizeBytes: of.size,
  storedBytes: of.size,
  compression,
});
export const packLine = z.object({ kind: z.literal("pack"), digest: of.digest, sizeBytes: of.size, values: of.count });
export const endLine = z.object({ kind: z.literal("end"), digest: of.digest });

/** Lines of a manifest behind the first one. */
export const manifestLine = z.discriminatedUnion("kind", [
  ...recordLine.options,
  originLine.extend({ kind: z.literal("origin") }),
  callLine,
  termLine,
  offerLine,
  packageLine,
  blobLine,
  packLine,
  endLine,
]);
export type ManifestLine = z.infer<typeof manifestLine>;

const loggedRun = {
  id: of.runId,
  sequence,
  number: z.int().min(1),
  flow: z.int(),
  project: of.project,
  name: of.name,
  createdAt: time,
};

export const logHead = z.object({
  kind: z.literal("log"),
  version: z.literal(BUCKET_FORMAT),
  store: of.storeId,
  number: z.int().min(1),
  previous: of.digest,
});

/** Lines of the log between the first and the last. */
export const logLine = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("flow"), id: z.int(), project: of.project, name: of.name }),
  z.object({ kind: z.literal("flow-name"), project: of.project, name: of.name, flow: z.int() }),
  z.object({ kind: z.literal("begun"), ...loggedRun }),
  z.object({
    kind: z.literal("event"),
    sequence: z.int().min(1),
    at: time,
    actor: of.text,
    host: of.text,
    verb: z.literal(["add", "remove", "set-policy", "remove-policy"]),
    tag: of.text,
    run: of.runId.nullable(),
    via: of.text,
    reason: textOrNull,
    move: z.int().nullable(),
    action: textOrNull,
    from: of.runId.nullable(),
    checks: z.string().nullable(),
    policy: z.string().nullable(),
    previous: of.digest,
    digest: of.digest,
  }),
  z.object({
    kind: z.literal("signature"),
    run: of.runId.nullable(),
    position: z.int().min(1),
    keyId: of.digest,
    statement: z.string().max(MAX_STATEMENT_CHARACTERS),
    signature: z.string().regex(/^[0-9a-f]{128}$/, "no signature"),
  }),
  z.object({
    kind: z.literal("gone"),
    run: of.runId,
    step: of.name,
    path: of.path,
    attempt: z.int().min(0),
    name: of.name,
    reason: of.text,
    at: time,
  }),
  z.object({
    kind: z.literal("deleted"),
    ...loggedRun,
    status: of.text,
    deletedAt: time,
    actor: of.text,
    host: of.text,
    via: of.text,
    reason: textOrNull,
  }),
  z.object({
    kind: z.literal("request"),
    run: of.runId.nullable(),
    tag: of.text,
    status: z.literal(["waiting", "moved", "refused"]).optional(),
    at: time.optional(),
    actor: of.text.optional(),
    host: of.text.optional(),
    via: of.text.optional(),
    reason: textOrNull.optional(),
    why: textOrNull.optional(),
  }),
]) satisfies z.ZodType<LogLine>;
