/** The public API of Millrace, grouped by what a user does. */
import "./config/check-node.ts";

// Look after a store.
export type { RepairReport } from "./admin/repair/repair-store.ts";
export type { StoreFinding, VerifyReport } from "./admin/verify/finding.ts";
export { StoredInstance } from "./artifact/cbor/kept-values.ts";
// Keep values of your own classes.
export { type CodecDefinition, defineCodec, type StorableOptions, storable } from "./artifact/codecs/define-codec.ts";
// Keep pictures.
export { type FigureOptions, figure } from "./artifact/figures/figure.ts";
export { type FigureFacts, type FigureType, figureFacts } from "./artifact/figures/figure-facts.ts";
// Keep files.
export { type FileOptions, file, folder } from "./artifact/files/file.ts";
export type { FolderEntry } from "./artifact/files/read-folder.ts";
export { StoredFile, StoredFolder } from "./artifact/files/stored-file.ts";
export type { ErrorCode } from "./errors/code-table.ts";
export type { Problem, SerializedError, SourceLocation } from "./errors/flow-error.ts";
// Errors.
export { FlowError, isFlowError } from "./errors/flow-error.ts";
export type { Lineage, LineageLink, LineageOptions, LineageRun } from "./events/lineage.ts";
export type { RunEvent, StepProgress } from "./events/run-event.ts";
export { around, type StepCall } from "./flow/around.ts";
export { artifact } from "./flow/artifact.ts";
export { config } from "./flow/config.ts";
// Inside a step.
export { type Current, current } from "./flow/current.ts";
export { choose, join, step } from "./flow/decorators.ts";
// Define a flow.
export { Flow } from "./flow/flow.ts";
export { includeFile } from "./flow/include-file.ts";
export type { Log } from "./flow/log.ts";
export { param } from "./flow/param.ts";
export type {
  ArtifactOptions,
  Artifacts,
  Behaviour,
  ByteSize,
  ConfigOptions,
  Duration,
  FlowClass,
  IncludeFileOptions,
  Inputs,
  Merge,
  MetricBounds,
  MetricValue,
  ParamOptions,
  Params,
  Query,
  Resources,
  ResumeOptions,
  Retry,
  Run,
  RunFacts,
  Running,
  RunOptions,
  RunOrder,
  Runs,
  SecretFrom,
  Signature,
  StepName,
  TagHolding,
  TagMoved,
  TagOptions,
  TaskFailure,
  Upstream,
  UpstreamOptions,
  Upstreams,
} from "./flow/public-types.ts";
export { upstream } from "./flow/upstream.ts";
// Schemas.
export { z } from "./util/zod.ts";
export { repairStore, verifyStore } from "./wiring/look-after-store.ts";
// Start and find runs.
export { resume } from "./wiring/resume/resume.ts";
export { run } from "./wiring/run.ts";
export { runs } from "./wiring/runs.ts";
