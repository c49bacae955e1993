/**
 * `flow validate`: whether what runs read is whole and is what was stored (integrity), and whether it is still what the
 * selectors mean (currency). The two are kept apart: a model that has moved on does not make an old prediction wrong.
 *
 * Each check is a function of its own in this folder and adds its findings to a sink; evidence is written in words and
 * names runs, artifacts and digests. Nothing is changed, each stored value is read and hashed once. Ids follow the list in
 * docs/guide/validate.md.
 */

import { type FlowError, isFlowError } from "../../errors/flow-error.ts";
import type { RunId } from "../../ids/run-id.ts";
import { runName } from "../../lineage/run-name.ts";
import type {
  ArtifactRow,
  MetadataReader,
  MetadataStore,
  RunRow,
  RunSequence,
  UpstreamRow,
} from "../../metadata/metadata-store.ts";
import { findRun } from "../find-run.ts";
import { BlobChecker, type CheckingStores } from "./blob-checker.ts";
import { checkAge } from "./check-age.ts";
import { checkArtifacts, checkBytes } from "./check-artifacts.ts";
import { checkCode } from "./check-code.ts";
import { checkCurrency } from "./check-currency.ts";
import { checkDeployed } from "./check-deployed.ts";
import { checkDrift } from "./check-drift.ts";
import { checkProducers, checkSelectors } from "./check-edges.ts";
import { checkFormats } from "./check-formats.ts";
import { checkTasks } from "./check-graph.ts";
import { checkInnerValues } from "./check-inner-values.ts";
import { checkModels } from "./check-models.ts";
import { checkReads } from "./check-reads.ts";
import { checkRequired, type Required } from "./check-required.ts";
import { checkSharedData } from "./check-shared-data.ts";
import { checkTagLog, followTagLog, type TagLogVerdict } from "./check-tag-log.ts";
import { checkWithdrawn } from "./check-withdrawn.ts";
import type { ProjectView } from "./project-view.ts";
import { recordedPackage } from "./recorded-package.ts";
import {
  CHECKS,
  type CheckSink,
  type CheckStatus,
  type ValidatedRun,
  type ValidationCheck,
  type ValidationReport,
} from "./report.ts";

const RUNS_AT_ONCE = 500;

export interface ValidateOptions {
  /** Which run: `Predict/3`, `Predict@prod:v1`, a run id. Default: the newest successful run of each flow that has upstreams. */
  readonly selector?: string;
  /** Whether a selector that leads elsewhere today is a failure; by default a warning. */
  readonly current?: boolean;
  /** Whether every warning is a failure: several runs on a tag, shared data from different runs, and what `current` says. */
  readonly strict?: boolean;
  /** Instead of a selector: these runs, such as the producers that a flow would read from. */
  readonly runs?: readonly RunRow[];
  /** Instead of a selector: every successful run. */
  readonly all?: boolean;
  /** Age at most of the run and of what it was made from, in milliseconds; what upstreams declare counts in any case. */
  readonly maxAgeMs?: number;
  /** Only what is a matter of time (V12, V21): no value is read. */
  readonly freshnessOnly?: boolean;
  /** Conditions on metrics (V13) and parameters (V14) of the run. */
  readonly required?: Required;
  /** The project that it is validated in: what is installed there. Without it V06 to V08 are not asked. */
  readonly project?: ProjectView;
  /** SHA-256 of what a deployment says that it runs. */
  readonly deployed?: string;
  /** Default: now. */
  readonly now?: Date;
  /** Preferred where the selector names a flow of several projects. */
  readonly ownProject?: string;
}

/** Stores to validate; packages are looked at when the store can give them. */
export interface ValidateStores extends CheckingStores {
  readonly metadata: MetadataReader & Partial<Pick<MetadataStore, "package">>;
}

/**
 * Validates runs.
 *
 * @returns a report; damage is a finding in it, not an error
 * @throws FlowError FLOW_CLIENT_BAD_SELECTOR, FLOW_LINEAGE_NO_RUN when the selector names no run
 */
export async function validate(stores: ValidateStores, options: ValidateOptions = {}): Promise<ValidationReport> {
  const checks: ValidationCheck[] = [];
  const runs: ValidatedRun[] = [];
  const blobs = new BlobChecker(stores);
  const tagLog = await followTagLog(stores.metadata);
  for (const selected of await selectRuns(stores.metadata, options)) {
    if (selected.kind === "unreadable") {
      const { run, checks: found } = unreadable(selected.error);
      checks.push(...found);
      runs.push(run);
      continue;
    }
    const { run, warnings } = selected;
    const name = runName(run);
    const first = checks.length;
    const sink: CheckSink = {
      add(id, status, evidence, about = {}) {
        checks.push({ id, ...CHECKS[id], status, evidence, subject: { run: name, ...about } });
      },
    };
    for (const warning of warnings) sink.add("V01", options.strict === true ? "fail" : "warn", warning);
    try {
      await validateRun(stores, run, { blobs, tagLog, options }, sink);
    } catch (error) {
      // A row of it that cannot be read: what comes after is not judged, and the run is none to rely on.
      if (!isFlowError(error, "FLOW_METADATA_CORRUPT")) throw error;
      sink.add("V00", "fail", `${name} is not whole: ${error.message}`);
    }
    const ok = checks.slice(first).every((check) => check.status !== "fail");
    runs.push({ run: name, runId: run.id, flow: `${run.flow.project}/${run.flow.name}`, status: run.status, ok });
  }
  const totals: Record<CheckStatus, number> = { pass: 0, warn: 0, fail: 0 };
  for (const check of checks) totals[check.status] += 1;
  return { schema: 1, ok: totals.fail === 0, runs, checks, totals, hashed: blobs.hashed };
}

interface Shared {
  readonly blobs: BlobChecker;
  readonly tagLog: TagLogVerdict;
  readonly options: ValidateOptions;
}

async function validateRun(
  stores: ValidateStores,
  run: RunRow,
  { blobs, tagLog, options }: Shared,
  sink: CheckSink,
): Promise<void> {
  const { metadata } = stores;
  const edges = await metadata.upstreams(run.sequence);
  const producers = await loadProducers(metadata, edges);
  const isStrict = options.strict === true;
  const limits = {
    failsWhenOld: options.freshnessOnly === true || options.current === true || isStrict,
    now: options.now ?? new Date(),
    ...(options.maxAgeMs === undefined ? {} : { maxAgeMs: options.maxAgeMs }),
  };
  if (options.freshnessOnly === true) {
    checkAge(run, edges, producers, await definitionOf(metadata, run), limits, sink);
    await checkCurrency(metadata, run, edges, true, sink);
    return;
  }
  const names = new Map<RunId, string>([...producers.values()].map((producer) => [producer.id, runName(producer)]));
  checkSelectors(edges, names, isStrict, sink);
  await checkProducers(metadata, run, sink);
  await checkSharedData(metadata, run, isStrict, sink);
  await checkReads(metadata, run, edges, blobs, sink);
  for (const edge of edges) {
    const producer = edge.producer === undefined ? undefined : producers.get(edge.producer);
    if (producer !== undefined) await checkArtifacts(metadata, producer, blobs, sink, edge.name);
  }
  await checkArtifacts(metadata, run, blobs, sink);
  // A run with 100,000 tasks takes its time: looked at where somebody asks for that run.
  if (options.selector !== undefined) await checkInnerValues(metadata, run, blobs, sink);
  const definition = await checkPackage(stores, run, blobs, sink);
  await checkTasks(metadata, run, definition, sink);
  for (const producer of producers.values())
    await checkTasks(metadata, producer, await definitionOf(metadata, producer), sink);
  await checkTagLog(metadata, run, tagLog, sink);
  const isPackageThere = (await recordedPackage(metadata, run)) !== "missing";
  checkCode(run, isPackageThere, isStrict, sink);
  await checkWithdrawn(metadata, run, isStrict, sink);
  await checkFormats(stores, run, isStrict, sink);
  await checkHere(stores, run, edges, producers, options, sink);
  if (options.required !== undefined) await checkRequired(metadata, run, options.required, sink);
  if (options.deployed !== undefined) await checkDeployed(metadata, run, options.deployed, sink);
  checkAge(run, edges, producers, definition, limits, sink);
  await checkCurrency(metadata, run, edges, options.current === true || isStrict, sink);
}

/** V06 to V08: what was kept and what is installed here still go together, also for the runs that this one read from. */
async function checkHere(
  stores: ValidateStores,
  run: RunRow,
  edges: readonly UpstreamRow[],
  producers: ReadonlyMap<RunId, RunRow>,
  { project, strict: isStrict = false }: ValidateOptions,
  sink: CheckSink,
): Promise<void> {
  if (project === undefined) return;
  checkDrift(run, project, isStrict, sink);
  await checkModels(stores, run, project, isStrict, sink);
  for (const edge of edges) {
    const producer = edge.producer === undefined ? undefined : producers.get(edge.producer);
    if (producer !== undefined) await checkModels(stores, producer, project, isStrict, sink, edge.name);
  }
}

/** V03 for the files of the code package; answers the flow's definition, where the package has it. */
async function checkPackage({ metadata }: ValidateStores, run: RunRow, blobs: BlobChecker, sink: CheckSink) {
  const pack = await recordedPackage(metadata, run);
  if (pack === undefined) return undefined;
  if (pack === "missing") {
    sink.add("V03", "fail", `the code package ${run.packageDigest} of ${runName(run)} is not in the store`, {
      digest: run.packageDigest!,
    });
    return undefined;
  }
  if (pack === "unreadable") {
    sink.add(
      "V03",
      "fail",
      `the code package ${run.packageDigest} of ${runName(run)} cannot be read: its manifest is not one`,
      {
        digest: run.packageDigest!,
      },
    );
    return undefined;
  }
  let whole = 0;
  for (const file of pack.files ?? []) {
    const artifact: ArtifactRow = { name: file.name, codec: "bytes", digest: file.digest, sizeBytes: file.sizeBytes };
    if (
      await checkBytes(artifact, `"${file.name}" of the code package of ${runName(run)}`, blobs, sink, {
        digest: file.digest,
      })
    )
      whole += 1;
  }
  if (whole > 0)
    sink.add(
      "V03",
      "pass",
      `${whole} of ${pack.files!.length} files of the code package of ${runName(run)} are there and hash to their digests`,
      { digest: run.packageDigest! },
    );
  return pack.flows?.find((flow) => flow.definition?.name === run.flow.name)?.definition;
}

async function definitionOf(metadata: ValidateStores["metadata"], run: RunRow) {
  const pack = await recordedPackage(metadata, run);
  if (pack === undefined || pack === "missing" || pack === "unreadable") return undefined;
  return pack.flows?.find((flow) => flow.definition?.name === run.flow.name)?.definition;
}

async function loadProducers(
  metadata: MetadataReader,
  edges: readonly UpstreamRow[],
): Promise<ReadonlyMap<RunId, RunRow>> {
  const producers = new Map<RunId, RunRow>();
  for (const edge of edges) {
    const producer = edge.producer === undefined ? undefined : await metadata.runById(edge.producer);
    if (producer !== undefined) producers.set(producer.id, producer);
  }
  return producers;
}

/** A run that was chosen; or one that would have been, if its record could be read. */
type SelectedRun =
  | { readonly kind: "run"; readonly run: RunRow; readonly warnings: readonly string[] }
  | { readonly kind: "unreadable"; readonly error: FlowError };

/** A run that cannot be read is a finding like any other: it does not keep the others from being judged. */
function unreadable({ message, context }: FlowError): {
  readonly run: ValidatedRun;
  readonly checks: readonly ValidationCheck[];
} {
  const { run, runId, flow } = context as { readonly run: string; readonly runId: string; readonly flow: string };
  return {
    run: { run, runId: runId as RunId, flow, status: "succeeded", ok: false },
    checks: [{ id: "V00", ...CHECKS.V00, status: "fail", evidence: message, subject: { run } }],
  };
}

/** All successful runs, newest first. */
async function everyRun(metadata: MetadataReader): Promise<readonly SelectedRun[]> {
  const all: SelectedRun[] = [];
  for (let before: RunSequence | undefined; ; ) {
    const unread: { readonly error: FlowError; readonly sequence: RunSequence }[] = [];
    const page = await metadata.runs({
      status: "succeeded",
      limit: RUNS_AT_ONCE,
      ...(before === undefined ? {} : { before }),
      onUnreadable: (error, sequence) => void unread.push({ error, sequence }),
    });
    all.push(
      ...page.map((run) => plain(run)),
      ...unread.map(({ error }): SelectedRun => ({ kind: "unreadable", error })),
    );
    if (page.length + unread.length < RUNS_AT_ONCE) return all;
    before = Math.min(...[...page, ...unread].map(({ sequence }) => sequence)) as RunSequence;
  }
}

/** The newest successful run of each flow that reads from another; of every flow, where none does. */
async function newestRuns(metadata: MetadataReader): Promise<readonly SelectedRun[]> {
  const newest: RunRow[] = [];
  const unread: SelectedRun[] = [];
  for (const { flow } of await metadata.flows()) {
    const [run] = await metadata.runs({
      flow,
      status: "succeeded",
      limit: 1,
      onUnreadable: (error) => void unread.push({ kind: "unreadable", error }),
    });
    if (run !== undefined) newest.push(run);
  }
  const consumers: RunRow[] = [];
  for (const run of newest) if (await hasUpstreams(metadata, run)) consumers.push(run);
  // A store where no flow reads from another has results all the same, and a check of nothing would look like a good one.
  return [...(consumers.length > 0 ? consumers : newest).map(plain), ...unread];
}

async function hasUpstreams(metadata: MetadataReader, run: RunRow): Promise<boolean> {
  try {
    return (await metadata.upstreams(run.sequence)).length > 0;
  } catch (error) {
    if (!isFlowError(error, "FLOW_METADATA_CORRUPT")) throw error;
    return true; // Some that cannot be read, which is told when the run is looked at.
  }
}

function plain(run: RunRow): SelectedRun {
  return { kind: "run", run, warnings: [] };
}

/** The runs to look at, with what is to be said about how they were found. */
async function selectRuns(metadata: MetadataReader, options: ValidateOptions): Promise<readonly SelectedRun[]> {
  if (options.selector !== undefined) {
    const found = await findRun(metadata, options.selector, {
      successfulOnly: true,
      ...(options.ownProject === undefined ? {} : { ownProject: options.ownProject }),
    });
    return [{ kind: "run", run: found.run, warnings: found.warnings.map((warning) => warning.message) }];
  }
  if (options.runs !== undefined) return options.runs.map(plain);
  return options.all === true ? everyRun(metadata) : newestRuns(metadata);
}
