/** All checks of one run, in their order; each only when it is asked for, so that a tag policy pays for what it wants to know. */

import type { RunId } from "../../ids/run-id.ts";
import { runName } from "../../lineage/run-name.ts";
import type { ArtifactRow, MetadataReader, RunRow, UpstreamRow } from "../../metadata/metadata-store.ts";
import { OWN_MANIFEST, repeatsOwnManifest } from "../../metadata/package-manifest.ts";
import { digestOfFiles } from "../../util/digest-of-files.ts";
import type { BlobChecker } from "./blob-checker.ts";
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
import { checkInputs } from "./check-inputs.ts";
import { checkModels } from "./check-models.ts";
import { checkReads } from "./check-reads.ts";
import { checkRequired } from "./check-required.ts";
import { checkSharedData } from "./check-shared-data.ts";
import { checkSignatures } from "./check-signatures.ts";
import { checkTagLog, checkUpstreamTags, type TagLogVerdict } from "./check-tag-log.ts";
import { checkWithdrawn } from "./check-withdrawn.ts";
import { checkPolicyAge, demandsOf, tagsOf } from "./policies-of-tags.ts";
import { recordedPackage } from "./recorded-package.ts";
import type { CheckId, CheckSink } from "./report.ts";
import type { ValidateOptions, ValidateStores } from "./validate.ts";

export interface RunToValidate {
  readonly run: RunRow;
  /** Tags by which it was found. */
  readonly foundBy: readonly string[];
  readonly blobs: BlobChecker;
  readonly tagLog: () => Promise<TagLogVerdict>;
  readonly options: ValidateOptions;
}

/** Whether one of some checks is asked for. */
export type Wants = (...ids: readonly CheckId[]) => boolean;

export async function validateRun(stores: ValidateStores, subject: RunToValidate, sink: CheckSink): Promise<void> {
  const { metadata } = stores;
  const { run, blobs, options } = subject;
  const { only, freshnessOnly = false, strict: isStrict = false } = options;
  const asked = only ?? (freshnessOnly ? (["V12", "V21"] as const) : undefined);
  const wants: Wants = (...ids) => asked === undefined || ids.some((id) => asked.includes(id));
  const edges = await metadata.upstreams(run.sequence);
  const producers = await loadProducers(metadata, edges);
  if (wants("V01")) {
    const names = new Map<RunId, string>([...producers.values()].map((producer) => [producer.id, runName(producer)]));
    checkSelectors(edges, names, isStrict, sink);
  }
  if (wants("V15")) await checkProducers(metadata, run, sink);
  if (wants("V10")) await checkSharedData(metadata, run, isStrict, sink);
  const readsBytes = wants("V03", "V05");
  if (readsBytes || wants("V02")) await checkReads(metadata, run, edges, readsBytes ? blobs : undefined, sink);
  if (readsBytes) await checkValues(stores, subject, edges, producers, sink);
  if (wants("V00")) {
    await checkTasks(metadata, run, await definitionOf(metadata, run), sink);
    for (const producer of producers.values())
      await checkTasks(metadata, producer, await definitionOf(metadata, producer), sink);
  }
  if (wants("V04")) {
    const log = await subject.tagLog();
    await checkTagLog(metadata, run, { log, foundBy: subject.foundBy }, sink);
    if (log.fault === undefined) await checkUpstreamTags(metadata, run, edges, producers, sink);
  }
  if (wants("V11")) checkCode(run, (await recordedPackage(metadata, run)) !== "missing", isStrict, sink);
  if (wants("V16")) await checkWithdrawn(metadata, run, isStrict, sink);
  if (wants("V17")) await checkSigned(metadata, run, edges, producers, options, sink);
  if (wants("V18")) await checkFormats(stores, run, isStrict, sink);
  if (wants("V09")) await checkInputs(stores, run, isStrict, sink);
  if (wants("V06", "V07", "V08")) await checkHere(stores, run, edges, producers, options, sink);
  if (options.required !== undefined && wants("V13", "V14")) await checkRequired(metadata, run, options.required, sink);
  if (options.deployed !== undefined && wants("V20")) await checkDeployed(metadata, run, options.deployed, sink);
  const isCurrencyHard = freshnessOnly || options.current === true || isStrict;
  if (wants("V12"))
    await checkAges(metadata, run, edges, producers, { ...options, failsWhenOld: isCurrencyHard }, sink);
  if (wants("V21")) await checkCurrency(metadata, run, edges, isCurrencyHard, sink);
}

type Producers = ReadonlyMap<RunId, RunRow>;

/** V03 and V05 for what a run and its producers left, and for its code. */
async function checkValues(
  stores: ValidateStores,
  { run, blobs, options }: RunToValidate,
  edges: readonly UpstreamRow[],
  producers: Producers,
  sink: CheckSink,
): Promise<void> {
  const { metadata } = stores;
  for (const edge of edges) {
    const producer = edge.producer === undefined ? undefined : producers.get(edge.producer);
    if (producer !== undefined) await checkArtifacts(metadata, producer, blobs, sink, edge.name);
  }
  await checkArtifacts(metadata, run, blobs, sink);
  // A run with 100,000 tasks takes its time: looked at where somebody asks for that run.
  if (options.selector !== undefined) await checkInnerValues(metadata, run, blobs, sink);
  await checkPackage(stores, run, blobs, sink);
}

/** V17 for the run and for producers that were found by a tag: whoever relied on the tag relied on what its policy asks for. */
async function checkSigned(
  metadata: MetadataReader,
  run: RunRow,
  edges: readonly UpstreamRow[],
  producers: Producers,
  { publicKeys = [], tags = run.tags }: ValidateOptions,
  sink: CheckSink,
): Promise<void> {
  const policies = await metadata.tagPolicies();
  const own = publicKeys.length > 0 ? [{ keys: publicKeys, by: "--public-key" }] : demandsOf(policies, tags);
  await checkSignatures(metadata, run, own, sink);
  for (const edge of edges) {
    const producer = edge.producer === undefined ? undefined : producers.get(edge.producer);
    const demands = demandsOf(policies, tagsOf(edge));
    if (producer !== undefined && demands.length > 0)
      await checkSignatures(metadata, producer, demands, sink, edge.name);
  }
}

/** V12: what upstreams declare, and what was asked for; where nothing was, what the policies of the tags say. */
async function checkAges(
  metadata: MetadataReader,
  run: RunRow,
  edges: readonly UpstreamRow[],
  producers: Producers,
  options: ValidateOptions & { readonly failsWhenOld: boolean },
  sink: CheckSink,
): Promise<void> {
  const { maxAgeMs, tags = [], forceAge = false, now = new Date(), failsWhenOld } = options;
  const asked = forceAge ? [] : tags;
  const limits = { failsWhenOld, now, ...(maxAgeMs === undefined ? {} : { maxAgeMs }) };
  checkAge(run, edges, producers, await definitionOf(metadata, run), limits, sink);
  if (maxAgeMs !== undefined) return;
  const policies = await metadata.tagPolicies();
  await checkPolicyAge(metadata, run, edges, { policies, asked, failsWhenOld, now }, sink);
}

/** V06 to V08: what was kept and what is installed here still go together, also for the runs that this one read from. */
async function checkHere(
  stores: ValidateStores,
  run: RunRow,
  edges: readonly UpstreamRow[],
  producers: Producers,
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

/** V03 for the files of the code package. */
async function checkPackage(
  { metadata, artifacts }: ValidateStores,
  run: RunRow,
  blobs: BlobChecker,
  sink: CheckSink,
): Promise<void> {
  const pack = await recordedPackage(metadata, run);
  if (pack === undefined) return;
  if (pack === "missing") {
    sink.add("V03", "fail", `the code package ${run.packageDigest} of ${runName(run)} is not in the store`, {
      digest: run.packageDigest!,
    });
    return;
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
    return;
  }
  if (pack.files !== undefined && digestOfFiles(pack.files) !== run.packageDigest) {
    sink.add("V03", "fail", `the code package of ${runName(run)} names other files than its digest does`, {
      digest: run.packageDigest!,
    });
    return;
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
  const own = pack.files?.find(({ name }) => name === OWN_MANIFEST);
  if (own !== undefined && whole === pack.files!.length) {
    const row = await metadata.blob(own.digest);
    const bytes: Uint8Array[] = [];
    for await (const piece of artifacts.pieces({ ...own, codec: "bytes" }, row!)) bytes.push(Uint8Array.from(piece));
    if (!repeatsOwnManifest(pack as Readonly<Record<string, unknown>>, Buffer.concat(bytes))) {
      sink.add("V03", "fail", `the code package of ${runName(run)} is recorded with another manifest than its own`, {
        digest: run.packageDigest!,
      });
      return;
    }
  }
  if (whole > 0)
    sink.add(
      "V03",
      "pass",
      `${whole} of ${pack.files!.length} files of the code package of ${runName(run)} are there and hash to their digests`,
      { digest: run.packageDigest! },
    );
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
