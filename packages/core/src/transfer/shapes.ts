/** Shapes of the parts of records, with bounds. Whatever a file says passes through one of these before it is used. */

import type { Digest } from "../artifact/artifact.ts";
import { isCodecId } from "../artifact/codec-id.ts";
import type { SerializedError } from "../errors/flow-error.ts";
import type { EnvironmentRecord, SelectorRecord } from "../events/run-record.ts";
import { isName, tagProblem } from "../ids/names.ts";
import { isRunId, type RunId } from "../ids/run-id.ts";
import { isTaskPath } from "../ids/task-path.ts";
import { z } from "../util/zod.ts";
import { MAX_LINE_BYTES } from "./limits.ts";

/** Text of others: names of machines, people, folders, commands. It is as long as its line allows: what was recorded is read. */
export const text = z.string().max(MAX_LINE_BYTES);
export const digest = z.custom<Digest>(
  (value) => typeof value === "string" && /^[0-9a-f]{64}$/.test(value),
  "no digest",
);
export const runId = z.custom<RunId>((value) => typeof value === "string" && isRunId(value), "no run id");
export const name = z.string().refine(isName, "no name");
export const path = z.string().max(1_000).refine(isTaskPath, "no task path");
export const tag = z.string().refine((value) => tagProblem(value) === undefined, "no tag");
export const project = z.string().regex(/^[^\p{C}]{1,300}$/u, "no project");
export const size = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
export const count = z.int().min(0).max(1_000_000_000);
export const codec = z.string().max(300).refine(isCodecId, "no codec");
/** `shop/Train/17`. */
export const runAlias = z
  .string()
  .max(600)
  .regex(/^[^\p{C}]+\/[A-Za-z_$][\w$]*\/\d{1,15}$/u, "no name of a run");
export const storeId = z.string().regex(/^[0-9a-f-]{36}$/, "no id of a store");

/** ISO 8601 UTC with milliseconds, as `toISOString` writes it. */
export const time = z.string().refine((value) => {
  const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value) ? new Date(value) : undefined;
  return at !== undefined && !Number.isNaN(at.getTime()) && at.toISOString() === value;
}, "no time");

/** JSON that is kept as it is: nothing but its own room gives it a meaning. Its depth was checked before. */
export const object = z.custom<Readonly<Record<string, unknown>>>(
  (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  "no object",
);

/** A value that is kept as it is, with further fields that other versions may have, when it fits a shape. */
function kept<T>(shape: z.ZodType): z.ZodType<T> {
  return z.custom<T>((value) => shape.safeParse(value).success, "not of its form");
}

export const environment = kept<EnvironmentRecord>(
  z.object({
    millrace: text,
    node: text,
    v8: text.optional(),
    libc: text.optional(),
    packageManager: text.optional(),
    lockfile: z.object({ path: text, digest: text }).optional(),
    packages: z.record(text, text).optional(),
    os: text,
    arch: text,
    host: text,
    actor: text,
    cwd: text,
    root: text.optional(),
    command: z.array(text),
    git: z
      .object({
        sha: text,
        branch: text.optional(),
        dirty: z.boolean(),
        diffDigest: text.optional(),
        remote: text.optional(),
      })
      .optional(),
  }),
);

const location = z.object({ file: text, line: z.number(), column: z.number().optional() });
const problem = z.object({
  code: text,
  message: z.string(),
  hint: z.string().optional(),
  location: location.optional(),
});
const serialized: z.ZodType = z.object({
  code: text,
  name: z.string(),
  message: z.string(),
  hint: z.string().optional(),
  context: object.optional(),
  problems: z.array(problem).max(1_000).optional(),
  stack: z.string().optional(),
  cause: z.lazy(() => serialized).optional(),
  errors: z
    .array(z.lazy(() => serialized))
    .max(100)
    .optional(),
  moreErrors: z.number().optional(),
});
export const error = kept<SerializedError>(serialized);

export const selector: z.ZodType<SelectorRecord> = z.union([
  z.strictObject({ kind: z.literal("newest") }),
  z.strictObject({ kind: z.literal("tags"), tags: z.array(text).max(1_000) }),
  z.strictObject({ kind: z.literal("run"), run: text }),
  z.strictObject({ kind: z.literal("sameAs"), path: z.array(text).max(100) }),
]);

export const runner = kept<{ readonly host: string; readonly pid: number }>(
  z.object({
    host: text,
    pid: z.number(),
    bootId: text.optional(),
    pidNamespace: text.optional(),
    startedAt: text.optional(),
  }),
);
