/**
 * The shapes of all columns that hold JSON. Who reads a row and who audits all of them ask the same functions, so that
 * `flow store verify` finds each row over which a reader would fall.
 *
 * A shape says what must be there for the code that uses it; what other versions may add is let through.
 */

import type { SerializedError } from "../errors/flow-error.ts";
import type { EnvironmentRecord, RunnerIdentity, SelectorRecord } from "../events/run-record.ts";
import type { RunOrigin, RunParent } from "./execution.ts";
import type { RunImport } from "./imported-run.ts";
import type { CacheReads } from "./replay.ts";
import { fits, readList, readObject, readShaped, readTexts, type Shape, type ShapeOf } from "./stored-json.ts";
import type { TagCheck, TagPolicy } from "./tag-policy.ts";

export interface StoredColumns {
  readonly "run.system_tags": readonly string[];
  readonly "run.parameters": Readonly<Record<string, unknown>>;
  readonly "run.secret_parameters": readonly string[];
  readonly "run.environment": EnvironmentRecord;
  readonly "run.failure": { readonly task?: string; readonly error: SerializedError };
  readonly "run.origin_facts": { readonly imported?: RunImport } & Omit<RunOrigin, "run">;
  readonly "run.parent": RunParent;
  readonly "execution.runner": RunnerIdentity;
  readonly "execution.command": readonly string[];
  readonly "execution.options": Readonly<Record<string, unknown>>;
  readonly "upstream.selector": SelectorRecord;
  readonly "upstream.candidates": readonly string[];
  readonly "task.error": SerializedError;
  readonly "task.value_reads": readonly string[];
  readonly "task.terms": Readonly<Record<string, readonly string[]>>;
  readonly "cache_entry.reads": CacheReads;
  readonly "tag_policy.policy": TagPolicy;
  readonly "tag_event.policy": TagPolicy;
  readonly "tag_event.checks": readonly TagCheck[];
  readonly "code_package.manifest": StoredManifest;
}

export type StoredColumn = keyof StoredColumns;

/** What is asked of a manifest; all parts may be missing, since another version may have written it. */
export interface StoredManifest {
  readonly entry?: string;
  readonly files?: readonly { readonly name: string; readonly digest: string; readonly sizeBytes?: number }[];
}

/**
 * Reads a column.
 *
 * @throws FlowError FLOW_METADATA_CORRUPT, naming it
 */
export function readColumn<C extends StoredColumn>(column: C, text: string): StoredColumns[C] {
  return READERS[column](text, column) as StoredColumns[C];
}

/** The manifest of a code package, as the asking room sees it: what it finds there is of the right kind, and may be missing. */
export function readManifest<T extends object>(text: string): Partial<T> {
  return readColumn("code_package.manifest", text) as Partial<T>;
}

const isText = (value: unknown): boolean => typeof value === "string";
const optional = (shape: ShapeOf) => (value: unknown) => value === undefined || fits(value, shape);
const listOf = (shape: ShapeOf) => (value: unknown) => Array.isArray(value) && value.every((item) => fits(item, shape));
const texts = listOf("text");
const textsByName = (value: unknown): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value) && Object.values(value).every(isText);

const ERROR: Shape = {
  code: "text",
  message: "text",
  hint: optional("text"),
  stack: optional("text"),
  problems: optional(listOf({ message: "text" })),
  cause: optional((value) => fits(value, ERROR)),
  errors: optional(listOf((value) => fits(value, ERROR))),
};
const RUNNER = {
  host: "text",
  pid: "number",
  bootId: optional("text"),
  pidNamespace: optional("text"),
  startedAt: optional("text"),
} as const;
const ENVIRONMENT = {
  millrace: "text",
  node: "text",
  os: "text",
  arch: "text",
  host: "text",
  actor: "text",
  cwd: "text",
  command: texts,
  v8: optional("text"),
  libc: optional("text"),
  root: optional("text"),
  packageManager: optional("text"),
  packages: optional(textsByName),
  lockfile: optional({ path: "text", digest: "text" }),
  git: optional({ sha: "text", dirty: "boolean", branch: optional("text"), remote: optional("text") }),
} as const;
const IMPORTED = {
  store: "text",
  run: "text",
  at: "text",
  actor: "text",
  host: "text",
  tagLogs: listOf({ store: "text", events: listOf({ at: "text", verb: "text", tag: "text" }) }),
  references: "list",
} as const;
const ORIGIN = {
  fromStep: optional("text"),
  changedSteps: optional(texts),
  changedParameters: optional(texts),
  imported: optional(IMPORTED),
} as const;
const POLICY = {
  pattern: "text",
  exclusive: optional("boolean"),
  succeededOnly: optional("boolean"),
  protected: optional("boolean"),
  reasonRequired: optional("boolean"),
  allow: optional(texts),
  requireChecks: optional(texts),
  signedBy: optional(texts),
  maxAgeMs: optional("number"),
} as const;
const DEFINITION = {
  name: "text",
  steps: optional("list"),
  params: optional("list"),
  upstreams: optional("list"),
} as const;
const MANIFEST = {
  entry: optional("text"),
  files: optional(listOf({ name: "text", digest: "text", sizeBytes: optional("number") })),
  flows: optional(listOf({ definition: optional(DEFINITION) })),
  sources: optional(listOf({ path: "text", digest: "text" })),
  externals: optional(listOf({ importer: "text", name: "text", version: optional("text") })),
  lockfile: optional({ path: "text", digest: "text" }),
} as const;
/** What each kind of selector has besides its kind. */
const SELECTORS: Readonly<Record<SelectorRecord["kind"], Shape>> = {
  newest: {},
  tags: { tags: texts },
  run: { run: "text" },
  sameAs: { path: texts },
};
const SELECTOR = { kind: (value: unknown) => isText(value) && Object.hasOwn(SELECTORS, value as string) } as const;

type Reader = (text: string, what: string) => unknown;
const shaped =
  (shape: Shape): Reader =>
  (text, what) =>
    readShaped(text, what, shape);
const list =
  (shape: ShapeOf): Reader =>
  (text, what) =>
    readList(text, what, shape);

const READERS: Readonly<Record<StoredColumn, Reader>> = {
  "run.system_tags": readTexts,
  "run.parameters": readObject,
  "run.secret_parameters": readTexts,
  "run.environment": shaped(ENVIRONMENT),
  "run.failure": shaped({ error: ERROR, task: optional("text") }),
  "run.origin_facts": shaped(ORIGIN),
  "run.parent": shaped({ run: "text", step: "text", path: "text", call: "number" }),
  "execution.runner": shaped(RUNNER),
  "execution.command": readTexts,
  "execution.options": readObject,
  "upstream.selector": (text, what) => {
    const { kind } = readShaped<SelectorRecord>(text, what, SELECTOR);
    return readShaped(text, what, SELECTORS[kind]);
  },
  "upstream.candidates": readTexts,
  "task.error": shaped(ERROR),
  "task.value_reads": readTexts,
  "task.terms": (text, what) => {
    const terms = readObject<object>(text, what);
    return readShaped(text, what, Object.fromEntries(Object.keys(terms).map((name) => [name, texts])));
  },
  "cache_entry.reads": (text, what) => {
    const reads = readObject<object>(text, what);
    return readShaped(text, what, Object.fromEntries(Object.keys(reads).map((name) => [name, "text"])));
  },
  "tag_policy.policy": shaped(POLICY),
  "tag_event.policy": shaped(POLICY),
  "tag_event.checks": list({ id: "text", status: "text", evidence: optional("text") }),
  "code_package.manifest": shaped(MANIFEST),
};
