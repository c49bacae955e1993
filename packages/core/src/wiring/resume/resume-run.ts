/**
 * From a run that stopped to one that goes on: what it would go on with is prepared, the planner says whether that is the
 * same run or a fork of it, and what is finished is taken over. All that can be refused is refused before anything is
 * written.
 */
import { type Config, resolveConfig } from "../../config/config.ts";
import { readProcessIdentity } from "../../config/process-identity.ts";
import { FlowError, isFlowError } from "../../errors/flow-error.ts";
import type { RunEvent } from "../../events/run-event.ts";
import type { EnvironmentRecord } from "../../events/run-record.ts";
import { lateTagsOf } from "../../flow/late-tags.ts";
import { newRunId } from "../../ids/run-id.ts";
import type { UpstreamRequest } from "../../lineage/resolve-upstreams.ts";
import { runName } from "../../lineage/run-name.ts";
import type { FinishRun, MetadataReader, NewRun, RunRow, TagMove } from "../../metadata/metadata-store.ts";
import type { FinishedTaskColumns } from "../../metadata/replay.ts";
import { policyFor } from "../../metadata/tag-policy.ts";
import type { ResumePlan, ResumeRequest } from "../../runner/resume/plan-resume.ts";
import { planResume } from "../../runner/resume/plan-resume.ts";
import { failRun } from "../fail-run.ts";
import type { OpenStores } from "../open-stores.ts";
import { type PreparedRun, prepareRun } from "../prepare-run.ts";
import { storeRunValues } from "../run-values.ts";
import { workersOf } from "../run-workers.ts";
import type { RunSignals } from "../running.ts";
import { shuffleBy } from "../shuffle-by.ts";
import {
  environmentOf,
  executeWithin,
  optionsOf,
  type RunOptions,
  refuseCancelled,
  type StartRunRequest,
} from "../start-run.ts";
import { storePackage } from "../store-package.ts";
import { announceResumed } from "./announce-resumed.ts";
import { type PinnedUpstreams, pinnedUpstreams } from "./pinned-upstreams.ts";
import { recordedFields } from "./recorded-fields.ts";
import { checkKept, originOf, targetOf } from "./resume-facts.ts";
import type { ResumeSubject } from "./resume-package.ts";
import { takenOver } from "./taken-over.ts";

export interface ResumeRunRequest
  extends Omit<StartRunRequest, "package" | "flow">,
    Pick<ResumeRequest, "from" | "changed"> {
  readonly subject: ResumeSubject;
}

/**
 * Resumes a run.
 *
 * @returns the finished run: the same one, or its fork; a failed or cancelled run is a result, not an error
 * @throws FlowError for everything that is refused (codes FLOW_RESUME_…, those of `startRun`, FLOW_METADATA_RUN_ALIVE when
 *   another process was faster), and when the store fails
 */
export async function resumeRun(
  request: ResumeRunRequest,
  emit: (event: RunEvent) => void,
  signals: RunSignals,
): Promise<RunRow> {
  const { subject } = request;
  const stores = await request.stores.open();
  const asked = {
    ...(await optionsBefore(stores, subject.row)),
    ...request,
    package: subject.package,
    flow: subject.flow,
  };
  const config = resolveConfig({ cwd: request.cwd, environment: request.environment });
  const environment = environmentOf(asked, config);
  const workers = workersOf(asked, request.from ?? failedStep(subject.row));
  workers.catch(() => {}); // Awaited later, unless the run is refused before.
  try {
    const planned = await prepare(asked, stores, subject);
    const pins = await pinnedUpstreams(
      {
        metadata: stores.metadata,
        definitions: planned.definition.upstreams,
        requests: request.upstreams as Readonly<Record<string, UpstreamRequest>>,
        lateTags: lateTagsOf(planned.flowClass, planned.fields),
        now: new Date(),
        strict: request.strict ?? false,
        project: planned.definition.project,
      },
      await stores.metadata.upstreams(subject.row.sequence),
    );
    const target = targetOf(subject, planned, pins);
    const plan = planResume(await originOf(stores, subject, target), target, request);
    await checkKept(stores, subject, plan);
    refuseCancelled(signals.stop, planned.definition.name);
    // A fork that stopped before it had run the step that it was made for goes on to run it.
    const byHand = plan.kind === "continue" ? subject.row.origin?.fromStep : request.from;
    const prepared = byHand === undefined ? planned : withoutLookup(planned, byHand);
    const { executor } = await workers;
    const facts = { config, environment: await environment };
    const begun =
      plan.kind === "continue"
        ? await goOn(asked, stores, subject, facts)
        : await fork(asked, stores, subject, { prepared, pins, plan }, facts);
    const { row, finished } = await readyToGo(
      stores,
      begun,
      plan.kind === "continue" ? tagMove(prepared, facts, request.tagReason) : undefined,
    );
    announceResumed({ row, finished, subject, plan, pins, stores }, emit);
    return await executeWithin(asked, {
      stores,
      row,
      prepared,
      executor,
      emit,
      signals,
      environment: facts.environment,
      ...shuffleBy(config),
      ...takenOver(finished),
    });
  } finally {
    await workers.then(
      (opened) => opened.release(),
      () => {},
    );
  }
}

type Asked = ResumeRunRequest & StartRunRequest;

/** Of the task that a run failed with, `Train/17/fit/3`. */
function failedStep({ failure }: RunRow): string | undefined {
  return failure?.task?.split("/")[2];
}

/** How the run was asked to run the last time, for what is not asked otherwise now. */
async function optionsBefore({ metadata }: OpenStores, row: RunRow): Promise<RunOptions> {
  const last = (await metadata.executions(row.sequence)).at(-1);
  return (last?.options ?? {}) as RunOptions;
}

async function prepare(
  request: Asked,
  stores: OpenStores,
  { row, package: pack, flow }: ResumeSubject,
): Promise<PreparedRun> {
  const fields = await recordedFields({
    stores,
    row,
    given: request.fields,
    isSameCode: pack.digest === row.packageDigest,
    parameters: flow.definition.params.map(({ name }) => name),
  });
  return prepareRun({ ...request, fields });
}

/** The step cache has what its step left in the run that it is run again from: it must not be asked. */
function withoutLookup(prepared: PreparedRun, step: string): PreparedRun {
  const policy = prepared.policies.get(step);
  if (policy?.cache?.kind !== "keyed") return prepared;
  const cache = { ...policy.cache, lookup: "none" } as const;
  return { ...prepared, policies: new Map([...prepared.policies, [step, { ...policy, cache }]]) };
}

/** An execution that the store knows of: from here on, its end has to be recorded. */
type Begun = Pick<FinishRun, "run" | "execution">;

interface Facts {
  readonly config: Config;
  readonly environment: EnvironmentRecord;
}

/** The same run, under a new execution: whoever executed it before is fenced from now on. */
async function goOn(
  request: Asked,
  { metadata }: OpenStores,
  { row }: ResumeSubject,
  { config, environment }: Facts,
): Promise<Begun> {
  const execution = await metadata.beginExecution({
    run: row.sequence,
    at: new Date(),
    runner: readProcessIdentity(),
    actor: config.actor,
    command: environment.command,
    ...(row.packageDigest === undefined ? {} : { packageDigest: row.packageDigest }),
    options: optionsOf(request),
  });
  return { run: row.sequence, execution };
}

/** A new run that begins with what the old one has finished. */
async function fork(
  request: Asked,
  { metadata, artifacts }: OpenStores,
  { row: origin, package: pack }: ResumeSubject,
  {
    prepared,
    pins,
    plan,
  }: {
    readonly prepared: PreparedRun;
    readonly pins: PinnedUpstreams;
    readonly plan: Extract<ResumePlan, { readonly kind: "fork" }>;
  },
  { config, environment }: Facts,
): Promise<Begun> {
  const { definition, fields } = prepared;
  const stored = storePackage(pack, artifacts);
  await metadata.putPackage(stored);
  const changed = plan.changedSteps.map(({ step }) => step);
  const creating = metadata.createRun({
    id: newRunId(),
    flow: { project: definition.project, name: definition.name },
    formerly: definition.formerly,
    createdAt: new Date(),
    ...(await tagsOfFork(metadata, origin, prepared.tags, request.tagReason)),
    systemTags: [],
    parameters: Object.fromEntries(
      fields.filter((field) => !field.secret && field.kind === "parameter").map((field) => [field.name, field.encoded]),
    ),
    secretParameters: fields.filter((field) => field.secret).map((field) => field.name),
    ...storeRunValues(prepared.values, artifacts),
    packageDigest: stored.digest,
    environment,
    upstreams: pins.upstreams,
    actor: config.actor,
    host: config.host,
    execution: { runner: readProcessIdentity(), command: environment.command, options: optionsOf(request) },
    origin: {
      run: origin.id,
      ...(request.from === undefined ? {} : { fromStep: request.from }),
      ...(changed.length === 0 ? {} : { changedSteps: changed }),
      ...(plan.changedParameters.length === 0 ? {} : { changedParameters: plan.changedParameters }),
    },
    takeOver: { from: origin.sequence, exceptSteps: plan.exceptSteps },
  });
  const row = await creating.catch((error: unknown) => {
    throw isFlowError(error, "FLOW_METADATA_RUN_ALIVE") ? sameForkRuns(origin, error) : error;
  });
  return { run: row.sequence, execution: row.execution.number };
}

/**
 * Free tags are copied. Of those under a policy, what the origin was asked for and never got is asked for again; what it
 * holds stays with it: an experiment does not take production from the run that it began with.
 */
async function tagsOfFork(
  metadata: MetadataReader,
  origin: RunRow,
  given: readonly string[],
  tagReason: string | undefined,
): Promise<Pick<NewRun, "tags" | "tagReason">> {
  const policies = await metadata.tagPolicies();
  const free = origin.tags.filter((tag) => policyFor(policies, tag) === undefined);
  const waiting = (await metadata.tagRequests(origin.sequence)).filter(({ status }) => status === "waiting");
  const reason = tagReason ?? waiting.find((request) => request.reason !== undefined)?.reason;
  return {
    tags: [...new Set([...free, ...waiting.map(({ tag }) => tag), ...given])],
    ...(reason === undefined ? {} : { tagReason: reason }),
  };
}

/** Another process has made the very same fork, perhaps at this instant. */
function sameForkRuns(origin: RunRow, cause: FlowError): FlowError {
  const { name, host, pid } = cause.context;
  return new FlowError("FLOW_RESUME_RUNNING", {
    message: `Cannot resume ${runName(origin)}: ${name} goes on from it in the same way, and is running in process ${pid} on "${host}"`,
    hint: `Follow it with flow logs ${name} --follow, or wait until it has ended`,
    context: { run: runName(origin), fork: name, host, pid },
    cause,
  });
}

/** The tags that a run gets when it goes on; a fork is created with them. */
function tagMove(
  { tags }: PreparedRun,
  { config: { actor, host } }: Facts,
  reason: string | undefined,
): Omit<TagMove, "run"> | undefined {
  if (tags.length === 0) return undefined;
  const why = reason === undefined ? {} : { reason };
  return { add: tags, remove: [], actor, host, at: new Date(), via: "flow resume", ...why };
}

/** The last of what is read and written before the run is driven; what fails here ends the execution. */
async function readyToGo(
  { metadata }: OpenStores,
  begun: Begun,
  move: Omit<TagMove, "run"> | undefined,
): Promise<{ readonly row: RunRow; readonly finished: FinishedTaskColumns }> {
  try {
    if (move !== undefined) await metadata.moveTags({ ...move, run: begun.run });
    return { row: (await metadata.run(begun.run))!, finished: await metadata.finishedTasks(begun.run) };
  } catch (error) {
    await failRun(metadata, begun, error);
    throw error;
  }
}
