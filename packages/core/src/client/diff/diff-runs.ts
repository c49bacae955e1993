/**
 * Comparing two runs by their records alone: no value is read and no code is loaded, so that it takes as long for large
 * runs as for small ones. Equal digests are equal bytes.
 */
import { isDeepStrictEqual } from "node:util";
import type { RunRecord } from "../../events/run-record.ts";
import { describeSelector } from "../../lineage/describe-selector.ts";
import { runName } from "../../lineage/run-name.ts";
import type { MetadataReader, RunRow } from "../../metadata/metadata-store.ts";
import { readManifest } from "../../metadata/stored-columns.ts";
import { runRecord } from "../run-record.ts";
import { DIFF_SECTIONS, type DiffRow, type DiffSection, type DiffValue, type RunDiff } from "./run-diff.ts";

type Facts = ReadonlyMap<string, DiffValue>;

/** Facts that say when and how long, and differ between any two runs. */
const PASSING = new Set(["duration"]);
/** Themes that are shown and make no difference: where a run was made, and metrics, which may be times. */
const SHOWN: ReadonlySet<DiffSection> = new Set(["environment", "metrics"]);

/** What two runs have in common and what not. */
export async function diffRuns(metadata: MetadataReader, left: RunRow, right: RunRow): Promise<RunDiff> {
  const [one, other] = await Promise.all([factsOf(metadata, left), factsOf(metadata, right)]);
  const sections = Object.fromEntries(
    DIFF_SECTIONS.map((section) => {
      const rows = compare(one[section], other[section]);
      return [section, section === "metrics" ? rows.map(withDifference) : rows];
    }),
  ) as Record<DiffSection, readonly DiffRow[]>;
  const isSame = DIFF_SECTIONS.every(
    (section) =>
      SHOWN.has(section) ||
      sections[section].every(({ name, state }) => state === "same" || (section === "run" && PASSING.has(name))),
  );
  return {
    schema: 1,
    left: { run: runName(left), id: left.id },
    right: { run: runName(right), id: right.id },
    isSame,
    sections,
  };
}

function compare(left: Facts, right: Facts): readonly DiffRow[] {
  return [...new Set([...left.keys(), ...right.keys()])].map((name) => {
    const [one, other] = [left.get(name), right.get(name)];
    if (one === undefined) return { name, state: "added", right: other! };
    if (other === undefined) return { name, state: "removed", left: one };
    return { name, state: isSame(one, other) ? "same" : "changed", left: one, right: other };
  });
}

/** How far a metric has moved, where it is a finite number on both sides. */
function withDifference(row: DiffRow): DiffRow {
  const [left, right] = [row.left, row.right].map((side) => (side?.kind === "value" ? side.value : undefined));
  if (typeof left !== "number" || typeof right !== "number") return row;
  const difference = right - left;
  if (!Number.isFinite(difference)) return row;
  const percent = (difference / Math.abs(left)) * 100;
  return { ...row, difference, ...(Number.isFinite(percent) ? { percent } : {}) };
}

/** Where a value came from is shown, and is no difference of it. */
function isSame(left: DiffValue, right: DiffValue): boolean {
  if (left.kind === "digest" && right.kind === "digest") return left.digest === right.digest;
  return isDeepStrictEqual(left, right);
}

async function factsOf(metadata: MetadataReader, run: RunRow): Promise<Record<DiffSection, Facts>> {
  const record = await runRecord(metadata, run);
  return {
    run: runFacts(record),
    code: await codeFacts(metadata, run),
    parameters: valueFacts([
      ...Object.entries(record.parameters),
      ...record.secretParameters.map((name) => [name, "(secret)"] as const),
    ]),
    given: digestFacts(record.artifacts.filter(({ kind }) => kind !== "artifact" && kind !== "parameter")),
    upstreams: valueFacts(
      record.upstreams
        .filter(({ selector, name }) => selector.kind !== "sameAs" || !name.includes(".upstreams."))
        .map((edge) => [
          edge.name,
          `${edge.run ?? edge.runThere ?? edge.runId ?? "none"} (${describeSelector(edge.selector)})`,
        ]),
    ),
    data: await dataFacts(metadata, run),
    artifacts: digestFacts(record.artifacts.filter(({ kind }) => kind === "artifact")),
    metrics: valueFacts((record.metrics ?? []).map(({ name, value }) => [name, value])),
    environment: valueFacts(flat("", record.environment)),
  };
}

function runFacts(record: RunRecord): Facts {
  const { flow, status, durationMs, origin } = record;
  return valueFacts([
    ["flow", `${flow.project}/${flow.name}`],
    ["status", status],
    ...(durationMs === undefined ? [] : [["duration", durationMs] as const]),
    ...(origin === undefined ? [] : [["fork of", origin.run ?? origin.runId] as const]),
    ...(record.failure === undefined ? [] : [["failure", record.failure.error.message] as const]),
  ]);
}

async function codeFacts(metadata: MetadataReader, run: RunRow): Promise<Facts> {
  const facts = new Map<string, DiffValue>();
  if (run.packageDigest === undefined) return facts;
  facts.set("code package", { kind: "digest", digest: run.packageDigest });
  const pack = await metadata.package(run.packageDigest);
  if (pack === undefined) return facts;
  const { sources, externals, lockfile } = readManifest<{
    readonly sources?: readonly { readonly path: string; readonly digest: string }[];
    readonly externals?: readonly { readonly importer: string; readonly name: string; readonly version?: string }[];
    readonly lockfile?: { readonly path: string; readonly digest: string };
  }>(pack.manifest);
  for (const { path, digest } of sources ?? []) facts.set(path, { kind: "digest", digest });
  for (const { importer, name, version } of externals ?? [])
    facts.set(`package ${name}${importer === "." ? "" : ` in ${importer}`}`, {
      kind: "value",
      value: version ?? "not installed",
    });
  if (lockfile !== undefined) facts.set(lockfile.path, { kind: "digest", digest: lockfile.digest });
  return facts;
}

/** What tasks read of other runs, by upstream field, or by flow where code read it through the client. */
async function dataFacts(metadata: MetadataReader, run: RunRow): Promise<Facts> {
  const facts = new Map<string, DiffValue>();
  const names = new Map<string, { readonly name: string; readonly flow: string }>();
  for (const { upstream, producer, artifact, digest } of await metadata.reads(run.sequence)) {
    let known = names.get(producer);
    if (known === undefined) {
      const row = (await metadata.runById(producer)) ?? (await metadata.deletedRun(producer));
      known = row === undefined ? { name: producer, flow: producer } : { name: runName(row), flow: row.flow.name };
      names.set(producer, known);
    }
    const owner = upstream ?? `${known.flow} (by code)`;
    // Code may read one artifact of several runs of a flow: each is a fact of its own.
    const base = `${owner}.${artifact}`;
    const taken = facts.get(base);
    const key =
      taken === undefined || (taken.kind === "digest" && taken.from === known.name) ? base : `${base} of ${known.name}`;
    facts.set(key, { kind: "digest", digest, from: known.name });
  }
  return facts;
}

function valueFacts(entries: readonly (readonly [name: string, value: unknown])[]): Facts {
  return new Map(entries.map(([name, value]) => [name, { kind: "value", value }]));
}

function digestFacts(
  artifacts: readonly { readonly name: string; readonly digest: string; readonly sizeBytes: number }[],
): Facts {
  return new Map(artifacts.map(({ name, digest, sizeBytes }) => [name, { kind: "digest", digest, sizeBytes }]));
}

/** Every plain value of a record by its way: whatever is recorded of an environment is compared. */
function flat(way: string, value: unknown): [string, unknown][] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [[way, value]];
  return Object.entries(value).flatMap(([name, inner]) => flat(way === "" ? name : `${way}.${name}`, inner));
}
