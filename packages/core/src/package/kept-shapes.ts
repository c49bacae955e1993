/**
 * Whether a manifest and definitions that come from a file have the shape that all who read them rely on. A digest says that
 * nobody changed them on the way, and not that we have written them: whoever can write the file can give it a digest.
 */
import type { PackagedFlow, PackageManifest } from "./flow-package.ts";

type Check = (value: unknown) => boolean;

const text: Check = (value) => typeof value === "string";
const number: Check = (value) => typeof value === "number";
const flag: Check = (value) => typeof value === "boolean";
const maybe =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const oneOf =
  (...texts: readonly string[]): Check =>
  (value) =>
    texts.includes(value as string);
/** Further fields may be there: a later version may write them. */
const record =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value) =>
    typeof value === "object" &&
    value !== null &&
    Object.entries(fields).every(([name, check]) =>
      check(Object.hasOwn(value, name) ? (value as Readonly<Record<string, unknown>>)[name] : undefined),
    );
const mapOf =
  (check: Check): Check =>
  (value) =>
    typeof value === "object" && value !== null && !Array.isArray(value) && Object.values(value).every(check);

const manifest = record({
  entry: text,
  sources: listOf(record({ path: text, digest: text })),
  externals: listOf(record({ key: text, importer: text, specifier: text, name: text, version: maybe(text) })),
});

const location = maybe(record({ file: text, line: maybe(number), column: maybe(number) }));
const file = record({ name: text, flag: text, defaultPath: maybe(text), required: flag, help: maybe(text) });
const retry = record({
  times: number,
  isLate: flag,
  delayMs: number,
  factor: number,
  maxDelayMs: number,
  jitter: number,
  hasCondition: flag,
});
const behaviour = record({
  maxParallel: maybe(number),
  retry: maybe(retry),
  timeoutMs: maybe(number),
  catch: maybe(text),
  isolate: maybe(oneOf("thread", "process")),
  resources: maybe(record({ cpu: maybe(number), memoryBytes: maybe(number), gpu: maybe(number) })),
  environment: maybe(mapOf(text)),
  secrets: maybe(mapOf(record({ env: maybe(text), file: maybe(text) }))),
  cache: maybe(flag),
  shared: maybe(listOf(text)),
});
const step = record({
  name: text,
  kind: oneOf("step", "join", "choose"),
  isJoin: flag,
  next: listOf(text),
  foreach: maybe(text),
  on: maybe(text),
  cases: maybe(listOf(record({ value: text, target: text }))),
  behaviour,
  location,
  arity: number,
  summary: maybe(text),
  codeDigest: maybe(text),
});
const param = record({
  name: text,
  flag: text,
  short: maybe(text),
  env: maybe(text),
  hidden: flag,
  secret: flag,
  environment: maybe(listOf(text)),
  help: maybe(text),
  required: flag,
  defaultText: maybe(text),
  choices: maybe(listOf(text)),
  type: text,
});
const upstream = record({
  name: text,
  flow: record({ project: maybe(text), name: text }),
  tags: listOf(text),
  hasLateTags: flag,
  sameAs: maybe(listOf(text)),
  maxAge: maybe((value) => text(value) || number(value)),
  optional: flag,
  upstreamNames: maybe(listOf(text)),
  help: maybe(text),
});
const definition = record({
  project: text,
  name: text,
  formerly: listOf(text),
  summary: maybe(text),
  location,
  steps: listOf(step),
  params: listOf(param),
  upstreams: listOf(upstream),
  artifacts: listOf(text),
  terms: maybe(listOf(record({ name: text, transient: maybe(flag), ttlMs: maybe(number) }))),
  configs: listOf(file),
  files: listOf(file),
  constants: listOf(text),
});
const flows = listOf(record({ exportName: text, definition }));

/** The manifest in these bytes; undefined when there is none. */
export function readManifest(bytes: string | Uint8Array): PackageManifest | undefined {
  try {
    const value: unknown = JSON.parse(typeof bytes === "string" ? bytes : Buffer.from(bytes).toString("utf8"));
    return manifest(value) ? (value as PackageManifest) : undefined;
  } catch {
    return undefined; // No JSON.
  }
}

export function arePackagedFlows(value: unknown): value is readonly PackagedFlow[] {
  return flows(value);
}
