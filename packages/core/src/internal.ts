/**
 * What the `flow` command and other programs of this repository need besides the public API. It promises nothing to
 * anyone else and may change with any version. What is heavy (stores, the runner) is loaded when it is first called, so
 * that `flow graph` pays for neither.
 */

import type { GcOptions, GcReport } from "./admin/gc/collect-garbage.ts";
import type { DeleteRunsOptions } from "./admin/gc/delete-runs.ts";
import type { RepairOptions, RepairReport } from "./admin/repair/repair-store.ts";
import type { VerifyReport } from "./admin/verify/finding.ts";
import type { VerifyOptions } from "./admin/verify/verify-store.ts";
import type { FigureFacts } from "./artifact/figures/figure-facts.ts";
import type { ReadingStores } from "./client/artifact-reader.ts";
import type { Client, ClientOptions } from "./client/client.ts";
import type { HeldAgainst } from "./client/tag-policies.ts";
import type { ValidationReport } from "./client/validate/report.ts";
import type { ValidateOptions, ValidateStores } from "./client/validate/validate.ts";
import type {
  addWebhook as AddWebhook,
  DeliveryReport,
  testWebhook as TestWebhook,
  WebhookCaller,
} from "./client/webhooks.ts";
import type { Problem } from "./errors/flow-error.ts";
import type { ArtifactRow, MetadataStore, RunRow, RunSequence, TagEvent } from "./metadata/metadata-store.ts";
import type { TagPolicyChange } from "./metadata/tag-event.ts";
import type { FlowPackage } from "./package/flow-package.ts";
import type { ExportReport } from "./transfer/export-runs.ts";
import type { ImportReport } from "./transfer/import-runs.ts";
import type { CopyReport, CopyStoreRequest } from "./wiring/copy-store.ts";
import type { DoctorRequest } from "./wiring/doctor/doctor.ts";
import type { DoctorFinding, DoctorReport } from "./wiring/doctor/report.ts";
import type { InitReport, InitStoreRequest } from "./wiring/init-store.ts";
import type { OpenStores, OpenStoresInput } from "./wiring/open-stores.ts";
import type { PutAnswer, PutRequest } from "./wiring/put-run.ts";
import type { RebuildStoreRequest, RebuiltStoreReport } from "./wiring/rebuild-store.ts";
import type { RunCode } from "./wiring/run-code.ts";
import type { PreparedStep, StepAgainRequest } from "./wiring/step-again.ts";
import type { StoreToCheck } from "./wiring/store-admin.ts";
import type { StoreInfo, StoreInfoRequest } from "./wiring/store-info.ts";
import type { ExportRequest, ImportRequest, ImportTarget } from "./wiring/transfer.ts";
import type { WouldReadRequest } from "./wiring/would-read.ts";

export type { GcOptions, GcProgress, GcReport } from "./admin/gc/collect-garbage.ts";
export { describeReason as describeKeepReason } from "./admin/gc/delete-runs.ts";
export type { Loss } from "./admin/repair/losses.ts";
export type { StoreFinding, VerifyProgress } from "./admin/verify/finding.ts";
export { parsePart } from "./admin/verify/parse-part.ts";
export { fileCodec } from "./artifact/codec-id.ts";
export type { FigureFacts } from "./artifact/figures/figure-facts.ts";
export {
  type ComparedFact,
  type ComparedMetric,
  compareRuns,
  type RunComparison,
} from "./client/compare-runs.ts";
export { diffRuns } from "./client/diff/diff-runs.ts";
export { DIFF_SECTIONS, type DiffRow, type DiffSection, type DiffValue, type RunDiff } from "./client/diff/run-diff.ts";
export { findRun } from "./client/find-run.ts";
export { flowNameOf } from "./client/flow-name.ts";
export { listAttempts, listTasks, noTask } from "./client/list-tasks.ts";
export { followLogs, type LogEntry, type LogQuery, readLogs } from "./client/logs.ts";
export { lastMetrics } from "./client/metrics.ts";
export { type RolledBack, rollback } from "./client/rollback.ts";
export { jsonNumber, runRecord } from "./client/run-record.ts";
export { signaturesOf, signRun } from "./client/signatures.ts";
export { RunNames, type TagHolding, tagEventsFrom, tagHistory } from "./client/tag-history.ts";
export { followTagMoves, tagMoved } from "./client/tag-moves.ts";
export { moveTags } from "./client/tags.ts";
export { taskName } from "./client/task-name.ts";
export { resolveConfig } from "./config/config.ts";
export { MILLRACE_VERSION } from "./config/version.ts";
export type { ErrorCode } from "./errors/code-table.ts";
export {
  FlowError,
  isFlowError,
  type Problem,
  problemsError,
  type SerializedError,
  type SourceLocation,
  serializeError,
} from "./errors/flow-error.ts";
export type { Lineage, LineageLink, LineageRun } from "./events/lineage.ts";
export type { RunEvent, StepProgress } from "./events/run-event.ts";
export type {
  ArtifactRecord,
  DeletedRecord,
  RunRecord,
  RunStatus,
  TaskStatus,
  UpstreamRecord,
} from "./events/run-record.ts";
export type {
  FileDefinition,
  FlowDefinition,
  ParamDefinition,
  StepDefinition,
  UpstreamDefinition,
} from "./flow/definition.ts";
export { checkGraph } from "./graph/check-graph.ts";
export { drawDot } from "./graph/draw-dot.ts";
export { drawMermaid } from "./graph/draw-mermaid.ts";
export { drawText } from "./graph/draw-text.ts";
export type { Graph } from "./graph/graph.ts";
export { graphJson } from "./graph/graph-json.ts";
export { isName, metricNameProblem } from "./ids/names.ts";
export { isRunId, type RunId } from "./ids/run-id.ts";
export { parseSelector, type Selector } from "./ids/selector.ts";
export { traceArtifact } from "./lineage/artifact-lineage.ts";
export { refuseChangedRecords } from "./lineage/changed-records.ts";
export { normalTags } from "./lineage/check-tags.ts";
export { describeSelector } from "./lineage/describe-selector.ts";
export { describeLink, describeState, lineageDot, lineageMermaid, lineageRunName } from "./lineage/draw-lineage.ts";
export { identifyFlow } from "./lineage/identify-flow.ts";
export { fullRunName, runName } from "./lineage/run-name.ts";
export { traceLineage } from "./lineage/trace-lineage.ts";
export type { DeletedRun } from "./metadata/deleted-run.ts";
export type { KeptRun } from "./metadata/deletion-store.ts";
export type {
  ArtifactRow,
  MetadataStore,
  RunQuery,
  RunRow,
  TagEvent,
  TagPolicy,
  TaskRow,
  TaskSequence,
} from "./metadata/metadata-store.ts";
export type { MetricCondition, RunSort } from "./metadata/metric.ts";
export { isOver } from "./metadata/run-state.ts";
export { keyIdOfText, type PublicKey, publicKeyText } from "./metadata/signing-key.ts";
export { matchesPattern } from "./metadata/tag-policy.ts";
export type { WebhookStatus } from "./metadata/webhook-store.ts";
export { ARCHIVE_ENDING, selectFlow } from "./package/flow-file.ts";
export type { FlowPackage, PackagedFlow } from "./package/flow-package.ts";
export { preparePackage } from "./package/prepare-package.ts";
export { whyNoPlace, writeSources } from "./package/write-sources.ts";
export type { TransferProgress } from "./transfer/export-runs.ts";
export { formatDuration, parseDurationMs } from "./util/duration.ts";
export { elapsedMs } from "./util/elapsed.ts";
export { nearestName } from "./util/nearest-name.ts";
export { whyNoOutput } from "./util/output-place.ts";
export { shellWord } from "./util/shell-word.ts";
export { unifiedDiff } from "./util/unified-diff.ts";
export { type LaunchRequest, launchRun as startRun } from "./wiring/launch-run.ts";
export { type OpenLineageEvent, openLineageEvents } from "./wiring/openlineage-events.ts";
export { type PlannedStores, planStores } from "./wiring/plan-stores.ts";
export { projectView } from "./wiring/project-view.ts";
export { type Pull, planPull, pullArtifact } from "./wiring/pull.ts";
export {
  findResumeSubject,
  type LaunchResumeRequest,
  launchResume as startResume,
} from "./wiring/resume/launch-resume.ts";
export type { ResumeSubject } from "./wiring/resume/resume-package.ts";
export type { RunningFlow as Running } from "./wiring/running.ts";
export { sendEvents } from "./wiring/send-events.ts";
export { readPublicKeyFile, readSigningKey, writeKeyPair } from "./wiring/signing-key-file.ts";
export type { ComparedArtifact, PreparedStep, StepAgainRequest, StepOutcome } from "./wiring/step-again.ts";
export type { CodeSource } from "./wiring/step-code.ts";
export type {
  Client,
  CopyReport,
  DoctorFinding,
  DoctorReport,
  ExportReport,
  ExportRequest,
  ImportReport,
  ImportRequest,
  InitReport,
  OpenStores,
  RebuiltStoreReport,
  RepairReport,
  RunCode,
  StoreInfo,
  ValidationReport,
  VerifyReport,
};

export async function openStores(input: OpenStoresInput): Promise<OpenStores> {
  const wiring = await import("./wiring/open-stores.ts");
  return wiring.openStores(input);
}

/** Whether a store could be made; see `wiring/open-stores.ts`. */
export async function checkStorePlace(input: Omit<OpenStoresInput, "create">): Promise<void> {
  const wiring = await import("./wiring/open-stores.ts");
  wiring.checkStorePlace(input);
}

/** Files from elsewhere as a run; see `wiring/put-run.ts`. */
export async function putRun(openStores: () => Promise<OpenStores>, request: PutRequest): Promise<PutAnswer> {
  const wiring = await import("./wiring/put-run.ts");
  return wiring.putRun(openStores, request);
}

/** The sources that a run was made with; see `wiring/run-code.ts`. */
export async function runCode(stores: OpenStores, run: RunRow): Promise<RunCode> {
  const wiring = await import("./wiring/run-code.ts");
  return wiring.runCode(stores, run);
}

/** A package as one file; see `package/flow-archive.ts`. */
export async function packFlow(pack: FlowPackage): Promise<Uint8Array> {
  const archive = await import("./package/flow-archive.ts");
  return archive.packFlow(pack);
}

/** Runs of a store as a file; see `wiring/transfer.ts`. */
export async function exportRuns(
  stores: OpenStores,
  runs: readonly RunRow[],
  request: ExportRequest,
): Promise<ExportReport> {
  const wiring = await import("./wiring/transfer.ts");
  return wiring.exportToFile(stores, runs, request);
}

/** Runs of a file into a store; see `wiring/transfer.ts`. */
export async function importRuns(target: ImportTarget, request: ImportRequest): Promise<ImportReport> {
  const wiring = await import("./wiring/transfer.ts");
  return wiring.importFromFile(target, request);
}

/** What is wrong with the installation, the project and the store; see `wiring/doctor/doctor.ts`. */
export async function examine(request: DoctorRequest): Promise<DoctorReport> {
  const wiring = await import("./wiring/doctor/doctor.ts");
  return wiring.examine(request);
}

/** Checks the integrity and currency of runs; see `client/validate/validate.ts`. */
export async function validate(stores: ValidateStores, options: ValidateOptions): Promise<ValidationReport> {
  const client = await import("./client/validate/validate.ts");
  return client.validate(stores, options);
}

/** The values of a store past the copies on this machine; see `wiring/past-copies.ts`. */
export async function openPastCopies(
  stores: OpenStores,
): Promise<ReturnType<typeof import("./wiring/past-copies.ts").openPastCopies>> {
  const wiring = await import("./wiring/past-copies.ts");
  return wiring.openPastCopies(stores);
}

/** Checks every run, and the store; see `wiring/validate-all.ts`. */
export async function validateAll(
  stores: OpenStores,
  place: StoreToCheck,
  options: ValidateOptions,
): Promise<ValidationReport> {
  const wiring = await import("./wiring/validate-all.ts");
  return wiring.validateAll(stores, place, options);
}

/** The runs that a flow would read from; see `wiring/would-read.ts`. */
export async function wouldRead(
  stores: OpenStores,
  request: WouldReadRequest,
): Promise<{ readonly runs: readonly RunRow[]; readonly warnings: readonly Problem[] }> {
  const wiring = await import("./wiring/would-read.ts");
  return wiring.wouldRead(stores, request);
}

/** Sets a policy of tags; see `client/tag-policies.ts`. */
export async function setTagPolicy(metadata: MetadataStore, change: TagPolicyChange): Promise<readonly TagEvent[]> {
  const client = await import("./client/tag-policies.ts");
  return client.setTagPolicy(metadata, change);
}

/** Runs that hold tags against the policies; see `client/tag-policies.ts`. */
export async function heldAgainst(stores: OpenStores, pattern: string, at: Date): Promise<readonly HeldAgainst[]> {
  const client = await import("./client/tag-policies.ts");
  return client.heldAgainst(stores, pattern, at);
}

/** Tells webhooks what they are to be told; see `client/webhooks.ts`. */
export async function deliverWebhooks(caller: WebhookCaller, limitMs?: number): Promise<DeliveryReport> {
  const client = await import("./client/webhooks.ts");
  return client.deliverWebhooks(caller, limitMs);
}

/** Adds a webhook; see `client/webhooks.ts`. */
export async function addWebhook(...args: Parameters<typeof AddWebhook>): Promise<number> {
  const client = await import("./client/webhooks.ts");
  return client.addWebhook(...args);
}

/** Sends a test to a webhook; see `client/webhooks.ts`. */
export async function testWebhook(...args: Parameters<typeof TestWebhook>): Promise<void> {
  const client = await import("./client/webhooks.ts");
  return client.testWebhook(...args);
}

/** Checks a store as a whole; see `admin/verify/verify-store.ts`. */
export async function verifyStore(input: StoreToCheck, options: VerifyOptions): Promise<VerifyReport> {
  const wiring = await import("./wiring/store-admin.ts");
  return wiring.verifyStore(input, options);
}

/** Mends what can be mended in a store; see `admin/repair/repair-store.ts`. */
export async function repairStore(input: StoreToCheck, options: RepairOptions): Promise<RepairReport> {
  const wiring = await import("./wiring/store-admin.ts");
  return wiring.repairStore(input, options);
}

/** A store at a place, made and checked; see `wiring/init-store.ts`. */
export async function initStore(request: InitStoreRequest): Promise<InitReport> {
  const wiring = await import("./wiring/init-store.ts");
  return wiring.initStore(request);
}

/** Where a store is and what it has; see `wiring/store-info.ts`. */
export async function storeInfo(request: StoreInfoRequest): Promise<StoreInfo> {
  const wiring = await import("./wiring/store-info.ts");
  return wiring.storeInfo(request);
}

/** Records of a bucket's store; see `wiring/rebuild-store.ts`. */
export async function rebuildStore(request: RebuildStoreRequest): Promise<RebuiltStoreReport> {
  const wiring = await import("./wiring/rebuild-store.ts");
  return wiring.rebuildStore(request);
}

/** A store at another place; see `wiring/copy-store.ts`. */
export async function copyStore(request: CopyStoreRequest): Promise<CopyReport> {
  const wiring = await import("./wiring/copy-store.ts");
  return wiring.copyStore(request);
}

/** One value, checked against its digest; see `client/artifact-reader.ts`. */
export async function readArtifact(
  stores: ReadingStores,
  run: RunRow,
  owner: string,
  artifact: ArtifactRow,
): Promise<unknown> {
  const { ArtifactReader } = await import("./client/artifact-reader.ts");
  return new ArtifactReader(stores).read(run, owner, artifact);
}

/** What a picture among the artifacts is; see `client/read-figure.ts`. */
export async function readFigure(
  stores: Pick<OpenStores, "metadata" | "artifacts">,
  artifact: Parameters<typeof import("./client/read-figure.ts").readFigure>[1],
): Promise<FigureFacts | undefined> {
  const client = await import("./client/read-figure.ts");
  return client.readFigure(stores, artifact);
}

/** One step of a recorded run once more, in this process; see `wiring/step-again.ts`. */
export async function prepareStepAgain(request: StepAgainRequest): Promise<PreparedStep> {
  const wiring = await import("./wiring/step-again.ts");
  return wiring.prepareStepAgain(request);
}

/** The typed reading side on opened stores; see `client/client.ts`. */
export async function openClient(stores: OpenStores, options: ClientOptions = {}): Promise<Client> {
  const client = await import("./client/client.ts");
  return new client.Client(stores, options);
}

/** Deletes what is not kept; see `admin/gc/collect-garbage.ts`. */
export async function collectGarbage(stores: OpenStores, options: GcOptions): Promise<GcReport> {
  const [{ openDeletion }, gc] = await Promise.all([
    import("./wiring/open-deletion.ts"),
    import("./admin/gc/collect-garbage.ts"),
  ]);
  const deletion = openDeletion(stores, { now: options.now });
  return gc.collectGarbage(deletion, options).finally(() => deletion.close());
}

/** Deletes runs by name; see `admin/gc/delete-runs.ts`. */
export async function deleteRuns(
  stores: OpenStores,
  runs: readonly RunSequence[],
  options: DeleteRunsOptions,
): Promise<{ readonly runs: number; readonly tasks: number }> {
  const [{ openDeletion }, gc] = await Promise.all([
    import("./wiring/open-deletion.ts"),
    import("./admin/gc/delete-runs.ts"),
  ]);
  const deletion = openDeletion(stores);
  return gc.deleteRuns(deletion.records, runs, options).finally(() => deletion.close());
}
