/**
 * One step of a recorded run once more: in this thread, on the inputs that it had, with the code of the working tree, or with that which was kept.
 * The run is read and nothing of it is changed; what the step leaves lives in memory and is compared with what it left
 * then. Retry, timeout, catch and isolation are left out: a debugger takes its time.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { ArtifactRef, BlobRow } from "../artifact/artifact.ts";
import { ArtifactStore } from "../artifact/artifact-store.ts";
import { taskName } from "../client/task-name.ts";
import type { Environment } from "../config/config.ts";
import { setProcessEnvironment } from "../config/set-environment.ts";
import { problemsError, type SerializedError } from "../errors/flow-error.ts";
import { checkGraph } from "../graph/check-graph.ts";
import { refuseChangedRecords } from "../lineage/changed-records.ts";
import { runName } from "../lineage/run-name.ts";
import type { ArtifactRow, RunRow, TaskRow } from "../metadata/metadata-store.ts";
import { describeUserError } from "../package/user-stack.ts";
import type { TaskResult } from "../runner/protocol.ts";
import { stepContract } from "../runner/step-contract.ts";
import { taskAgain } from "../runner/task-again.ts";
import { executeTask } from "../runner/worker/execute-task.ts";
import { ValueLoader } from "../runner/worker/value-loader.ts";
import { WorkerRun } from "../runner/worker/worker-run.ts";
import { openOverlayBlobStore } from "../storage/memory/overlay-blob-store.ts";
import { nearestName } from "../util/nearest-name.ts";
import { attemptPolicies } from "./attempt-policies.ts";
import { type KeptManifest, keptManifest } from "./kept-package.ts";
import type { OpenStores } from "./open-stores.ts";
import { openTaskStores } from "./open-task-stores.ts";
import { contextOf } from "./run-context.ts";
import { type CodeSource, type StepCode, stepCode } from "./step-code.ts";
import { type StepInputs, stepChanged, stepInputs } from "./step-inputs.ts";
import { setThreadStore } from "./store-folder.ts";

export interface StepAgainRequest {
  readonly stores: OpenStores;
  readonly run: RunRow;
  /** The task as it was recorded: its newest attempt. */
  readonly origin: TaskRow;
  /** New values of parameters and of artifacts that the step begins with: JSON, or text. */
  readonly set: ReadonlyMap<string, string>;
  /** Whether the code that the run was made with is used, although the working tree has the source. */
  readonly isKept: boolean;
  readonly cwd: string;
  readonly environment: Environment;
}

/** A step that is ready to run again: all that can be refused was refused. */
export interface PreparedStep {
  /** `Train/17/evaluate/3`. */
  readonly task: string;
  readonly code: CodeSource;
  run(signal: AbortSignal): Promise<StepOutcome>;
  close(): void;
}

/** How the step ended this time. */
export interface StepOutcome {
  readonly status: "succeeded" | "skipped" | "failed" | "cancelled";
  readonly durationMs: number;
  readonly error?: SerializedError;
  readonly reason?: string;
  readonly choice?: string;
  readonly fanOut?: number;
  /** What it set or changed, then or now, by name; without an origin that succeeded, all is new. */
  readonly artifacts: readonly ComparedArtifact[];
  /** The value of one of these artifacts. */
  read(artifact: ArtifactRow): unknown;
}

/** An artifact as it is visible after the step: now, and then. */
export interface ComparedArtifact {
  readonly name: string;
  readonly comparison: "same" | "different" | "new" | "gone";
  readonly now?: ArtifactRow;
  readonly origin?: ArtifactRow;
}

/**
 * @throws FlowError FLOW_METADATA_CHANGED_RECORDS, FLOW_RUNNER_STEP_CHANGED, FLOW_PARAMETER_…,
 *   FLOW_CLIENT_NO_ARTIFACT, and what refuses a flow file
 */
export async function prepareStepAgain(request: StepAgainRequest): Promise<PreparedStep> {
  const { stores, run, origin, cwd, environment } = request;
  await refuseChangedRecords(stores.metadata, run, origin.sequence, `Cannot run ${taskName(run, origin)} again`);
  const manifest = await keptManifest(stores, run);
  const folders = [cwd, path.dirname(stores.folder), run.environment.cwd];
  const code = await stepCode({ stores, run, manifest, folders, isKept: request.isKept });
  const task = await taskOf(request, manifest);
  const graph = checkGraph(code.definition);
  const node = graph.nodes[origin.step];
  if (node === undefined) throw noStep(run, origin.step, code);
  if (node.step.isJoin !== (task.inputs !== undefined)) throw otherKind(run, origin.step, code);
  const read = (file: string): Promise<Uint8Array> => readFile(path.resolve(cwd, file));
  const step = { ...code.definition, steps: [node.step] };
  const { policies, problems } = await attemptPolicies(step, new Map(), { environment, readFile: read });
  if (problems.length > 0) throw problemsError(`Cannot run "${origin.step}" of ${runName(run)} again`, problems);
  const { placement } = policies.get(origin.step) ?? {};

  const taskStores = openTaskStores(stores.locate());
  const artifacts = new ArtifactStore(openOverlayBlobStore(taskStores.blobs));
  const about = { run, task, code, reader: taskStores.records, artifacts, environment, readFile: read };
  const inputs = await stepInputs({ ...about, set: request.set }).catch((error: unknown) => {
    taskStores.close();
    throw error;
  });
  return {
    task: taskName(run, origin),
    code: code.source,
    close: () => taskStores.close(),
    run: (signal) => {
      const execute = async (): Promise<StepOutcome> => {
        setThreadStore(stores.folder);
        const restore = setProcessEnvironment({ ...placement?.environment, ...placement?.secrets });
        try {
          const loader = new ValueLoader(artifacts, (digest) => inputs.reader.blob(digest));
          const result = await executeTask(
            { flowClass: code.flowClass, artifacts, signal, describeError: (error) => describeUserError(error, cwd) },
            new WorkerRun(contextOf(run, inputs), inputs.reader, loader),
            stepContract(graph, origin.step),
            { ...task, attempt: origin.attempt },
          );
          return await outcomeOf(stores, origin, result, artifacts, inputs);
        } finally {
          restore();
        }
      };
      // In a turn of its own: the stack of what the step throws then begins with the step, and not with who asked for it.
      return new Promise((resolve, reject) => setImmediate(() => execute().then(resolve, reject)));
    },
  };
}

/** The task with what it began with, by the graph that the run had. */
async function taskOf({ stores, run, origin }: StepAgainRequest, manifest: KeptManifest) {
  const flow = manifest.flows.find(({ definition }) => definition.name === run.flow.name);
  const columns = await stores.metadata.finishedTasks(run.sequence);
  const task = flow === undefined ? undefined : taskAgain(checkGraph(flow.definition), columns, origin);
  if (task !== undefined) return task;
  throw stepChanged(
    run,
    origin.step,
    "the record does not say what it began with",
    "Run the flow, and then the step of the new run",
  );
}

async function outcomeOf(
  { metadata }: OpenStores,
  origin: TaskRow,
  { outcome, durationMs, blobs }: Omit<TaskResult, "logs" | "liveChunks">,
  artifacts: ArtifactStore,
  inputs: StepInputs,
): Promise<StepOutcome> {
  const fresh = new Map<string, BlobRow>(blobs.map((blob) => [blob.digest, blob]));
  const read = (ref: ArtifactRef): unknown =>
    artifacts.loadSync(ref, fresh.get(ref.digest) ?? inputs.reader.blob(ref.digest), {
      unknownClasses: "keep",
      ...("name" in ref ? { subject: `"${String(ref.name)}" of the task "${origin.step}"` } : {}),
    });
  const ended = { durationMs, artifacts: [], read };
  if (outcome.kind === "failed") return { ...ended, status: "failed", error: outcome.error };
  if (outcome.kind === "cancelled" || outcome.kind === "caught") return { ...ended, status: "cancelled" };
  const hasLeft = ["succeeded", "caught", "skipped"].includes(origin.status);
  const before = byName(hasLeft ? await metadata.visibleArtifacts(origin.sequence) : []);
  const now = byName([
    ...(origin.inherits === undefined ? [] : inputs.reader.visibleArtifacts(origin.inherits)),
    ...outcome.artifacts,
  ]);
  const own = hasLeft ? await metadata.ownArtifacts(origin.sequence) : [];
  const names = [...new Set([...own, ...outcome.artifacts].map(({ name }) => name))].sort();
  return {
    ...ended,
    status: outcome.kind,
    artifacts: names.map((name) => compared(name, now.get(name), before.get(name))),
    ...(outcome.kind === "skipped" ? { reason: outcome.reason } : {}),
    ...(outcome.choice === undefined ? {} : { choice: outcome.choice }),
    ...(outcome.fanOut === undefined ? {} : { fanOut: outcome.fanOut }),
  };
}

function byName(rows: readonly ArtifactRow[]): ReadonlyMap<string, ArtifactRow> {
  return new Map(rows.map((row) => [row.name, row]));
}

function compared(name: string, now: ArtifactRow | undefined, origin: ArtifactRow | undefined): ComparedArtifact {
  if (now === undefined) return { name, comparison: "gone", ...(origin === undefined ? {} : { origin }) };
  if (origin === undefined) return { name, comparison: "new", now };
  const isSame = now.digest === origin.digest && now.codec === origin.codec;
  return { name, comparison: isSame ? "same" : "different", now, origin };
}

function noStep(run: RunRow, step: string, code: StepCode) {
  const names = code.definition.steps.map(({ name }) => name);
  const near = nearestName(step, names);
  return stepChanged(
    run,
    step,
    `${nameOf(code)} has no such step any more`,
    near === undefined ? `It has ${names.join(", ")}` : `It was perhaps renamed to "${near}"; name it as it was`,
  );
}

function otherKind(run: RunRow, step: string, code: StepCode) {
  return stepChanged(
    run,
    step,
    `in ${nameOf(code)} it ${code.definition.steps.find(({ name }) => name === step)!.isJoin ? "is a join now" : "is no join any more"}`,
    "Run the flow, and then the step of the new run",
  );
}

function nameOf({ source }: StepCode): string {
  return `"${path.basename(source.kind === "tree" ? source.file : source.entry)}"`;
}
