/**
 * From a flow and a request to a new run: prepare it, resolve its upstreams, create it with everything that is pinned, and
 * execute it. All that can be refused is refused before the run is created; from then on the run's record says what
 * happened.
 */
import { type Config, resolveConfig } from "../config/config.ts";
import { readEnvironmentRecord } from "../config/environment-record.ts";
import { readProcessIdentity } from "../config/process-identity.ts";
import { FlowError, type Problem } from "../errors/flow-error.ts";
import type { RunEvent } from "../events/run-event.ts";
import type { EnvironmentRecord } from "../events/run-record.ts";
import { lateTagsOf } from "../flow/late-tags.ts";
import { newRunId } from "../ids/run-id.ts";
import { describeSelector } from "../lineage/describe-selector.ts";
import { type ResolvedUpstream, resolveUpstreams, type UpstreamRequest } from "../lineage/resolve-upstreams.ts";
import { runName } from "../lineage/run-name.ts";
import type { RunRow } from "../metadata/metadata-store.ts";
import { installedFacts } from "../package/imported-packages.ts";
import { ChildRuns } from "./child-runs.ts";
import { executeRun, type RunExecution } from "./execute-run.ts";
import type { OpenStores } from "./open-stores.ts";
import { PackagedChildren } from "./packaged-children.ts";
import type { PlannedStores } from "./plan-stores.ts";
import { type PreparedRun, type PrepareRunRequest, prepareRun } from "./prepare-run.ts";
import { type FamilyPlace, openFamily } from "./run-family.ts";
import { storeRunValues } from "./run-values.ts";
import { workersOf } from "./run-workers.ts";
import type { RunSignals } from "./running.ts";
import { shortSecrets } from "./short-secrets.ts";
import { shuffleBy } from "./shuffle-by.ts";
import { storePackage } from "./store-package.ts";
import { tellWebhooks } from "./tell-webhooks.ts";

export interface StartRunRequest extends PrepareRunRequest {
  /** Opened when nothing but the store itself can refuse the run any more. */
  readonly stores: Pick<PlannedStores, "location" | "open">;
  /** By name of the upstream. */
  readonly upstreams: Readonly<Record<string, UpstreamRequest>>;
  /** Whether its workers are kept for a later run of the same flow in this process. */
  readonly keepsWorkers?: boolean;
  /** Workers at most; default the number of processors, at least 2. */
  readonly maxWorkers?: number;
  /** Whether an upstream that several runs match is an error. */
  readonly strict?: boolean;
  /** After a failure, whether all that does not depend on it goes on. */
  readonly finishSiblings?: boolean;
  /** Rounds that a loop may have. */
  readonly maxRounds?: number;
  /** Levels of runs that its steps may start inside each other; default 8. */
  readonly maxDepth?: number;
  /** Of a run that is started inside a step. */
  readonly within?: FamilyPlace;
  readonly cwd: string;
  /** Recorded with the run; secrets are left out. */
  readonly command: readonly string[];
}

/**
 * Runs a flow.
 *
 * @param workers  started before, where that saves time; they are released in any case
 * @returns the finished run; a failed or cancelled run is a result, not an error
 * @throws FlowError for everything that is refused before the run exists, and when the store fails
 */
export async function startRun(
  request: StartRunRequest,
  emit: (event: RunEvent) => void,
  signals: RunSignals,
  workers = workersOf(request),
): Promise<RunRow> {
  workers.catch(() => {}); // Awaited later, unless the run is refused before.
  try {
    const config = resolveConfig({ cwd: request.cwd, environment: request.environment });
    const environment = environmentOf(request, config);
    const prepared = await prepareRun(request);
    const name = prepared.definition.name;
    refuseCancelled(signals.stop, name);
    const stores = await request.stores.open();
    const { upstreams, warnings } = await resolveUpstreams({
      metadata: stores.metadata,
      definitions: prepared.definition.upstreams,
      requests: request.upstreams,
      lateTags: lateTagsOf(prepared.flowClass, prepared.fields),
      now: new Date(),
      strict: request.strict ?? false,
      project: prepared.definition.project,
    });
    refuseCancelled(signals.stop, name);
    const { executor } = await workers;
    const facts = { config, environment: await environment, upstreams };
    const row = await create(request, prepared, stores, facts);
    announce(row, stores, upstreams, [...(request.package.warnings ?? []), ...warnings], emit);
    return await executeWithin(request, {
      stores,
      row,
      prepared,
      executor,
      emit,
      signals,
      environment: facts.environment,
      ...shuffleBy(config),
    });
  } finally {
    await workers.then(
      (opened) => opened.release(),
      () => {},
    );
  }
}

/**
 * Executes a run together with all runs that its steps start: in the family that it was started in, or as the first of its
 * own.
 */
export async function executeWithin(
  request: StartRunRequest,
  execution: Pick<
    RunExecution,
    "row" | "prepared" | "executor" | "emit" | "signals" | "finished" | "attemptsBefore"
  > & {
    readonly stores: OpenStores;
    readonly environment: EnvironmentRecord;
  },
): Promise<RunRow> {
  const { environment, ...rest } = execution;
  const { within, finishSiblings, maxRounds } = request;
  const family = within?.family ?? openFamily(execution.executor.slots, request.maxDepth);
  const { row, signals } = execution;
  const ancestors = within?.ancestors ?? [];
  const children = new ChildRuns({
    maxDepth: family.maxDepth,
    ancestors,
    row,
    openMetadata: async () => (await request.stores.open()).metadata,
    runner: new PackagedChildren({ family, request, environment, start: startRun }),
    endNow: signals.endNow,
  });
  for (const { code, message, hint } of shortSecrets(execution.prepared))
    execution.emit({ kind: "run.warning", at: new Date(), code, message, ...(hint === undefined ? {} : { hint }) });
  try {
    return await executeRun({
      ...rest,
      databaseFile: request.stores.location.databaseFile,
      execution: row.execution.number,
      slots: family.slots,
      depth: ancestors.length,
      startChild: (call) => children.start(call),
      afterFinish: (finished) => tellWebhooks(execution.stores.metadata, finished, request.environment, execution.emit),
      reopen: async () => {
        const { within: _, ...alone } = request;
        return await workersOf({ ...alone, maxWorkers: 1 });
      },
      ...(finishSiblings === undefined ? {} : { finishSiblings }),
      ...(maxRounds === undefined ? {} : { maxRounds }),
    });
  } finally {
    if (within === undefined) await family.executors.close();
  }
}

/** Versions, host, git state and command of this process, read beside everything else. */
export function environmentOf(
  request: Pick<StartRunRequest, "flow" | "environment" | "command" | "package" | "within">,
  config: Config,
): Promise<EnvironmentRecord> {
  const { within } = request;
  const installed = installedFacts(request.package, request.environment.npm_config_user_agent);
  if (within !== undefined && within.root === request.package.root) {
    // The same machine, user and working tree; but another flow, which imports packages of its own.
    const { packages: _, lockfile: __, packageManager: ___, ...rest } = within.environment;
    return Promise.resolve({ ...rest, ...installed });
  }
  const secretFlags = request.flow.definition.params.filter((param) => param.secret).map((param) => param.flag);
  const environment = readEnvironmentRecord({
    config,
    environment: request.environment,
    // Of a run inside a step: as the outermost run records it, without its secrets.
    command: within?.environment.command ?? request.command,
    secretFlags,
    gitFolder: request.package.root,
    root: request.package.root,
    installed,
  });
  environment.catch(() => {}); // Awaited later, unless the run is refused before.
  return environment;
}

async function create(
  request: StartRunRequest,
  prepared: PreparedRun,
  stores: OpenStores,
  facts: {
    readonly config: Config;
    readonly environment: EnvironmentRecord;
    readonly upstreams: readonly ResolvedUpstream[];
  },
): Promise<RunRow> {
  const { definition, fields } = prepared;
  const pack = storePackage(request.package, stores.artifacts);
  const { values, blobs } = storeRunValues(prepared.values, stores.artifacts);
  // Before the transactions that name them: nobody else could write while they wait for an upload.
  await stores.artifacts.settle?.([...pack.blobs, ...blobs]);
  await stores.metadata.putPackage(pack);
  return stores.metadata.createRun({
    id: newRunId(),
    flow: { project: definition.project, name: definition.name },
    formerly: definition.formerly,
    createdAt: new Date(),
    tags: prepared.tags,
    ...(request.tagReason === undefined ? {} : { tagReason: request.tagReason }),
    systemTags: [],
    parameters: Object.fromEntries(
      fields.filter((field) => !field.secret && field.kind === "parameter").map((field) => [field.name, field.encoded]),
    ),
    secretParameters: fields.filter((field) => field.secret).map((field) => field.name),
    values,
    blobs,
    packageDigest: pack.digest,
    environment: facts.environment,
    upstreams: facts.upstreams,
    actor: facts.config.actor,
    host: facts.config.host,
    execution: { runner: readProcessIdentity(), command: facts.environment.command, options: optionsOf(request) },
    ...(request.within === undefined ? {} : { parent: request.within.parent }),
  });
}

/** How a run was asked for, so that it can be continued likewise. */
export type RunOptions = Pick<
  StartRunRequest,
  "with" | "cache" | "finishSiblings" | "maxRounds" | "maxDepth" | "maxWorkers"
>;

export function optionsOf(request: RunOptions): Readonly<Record<string, unknown>> {
  const { with: words, cache, finishSiblings, maxRounds, maxDepth, maxWorkers } = request;
  return {
    ...(words === undefined || words.length === 0 ? {} : { with: words }),
    ...(cache === undefined ? {} : { cache }),
    ...(finishSiblings === undefined ? {} : { finishSiblings }),
    ...(maxRounds === undefined ? {} : { maxRounds }),
    ...(maxDepth === undefined ? {} : { maxDepth }),
    ...(maxWorkers === undefined ? {} : { maxWorkers }),
  };
}

/** A run was cancelled before anything was written of it. */
export function refuseCancelled(signal: AbortSignal, flow: string): void {
  if (!signal.aborted) return;
  throw new FlowError("FLOW_RUN_CANCELLED", { message: `${flow} was cancelled before it began`, cause: signal.reason });
}

function announce(
  row: RunRow,
  stores: OpenStores,
  upstreams: readonly ResolvedUpstream[],
  warnings: readonly Problem[],
  emit: (event: RunEvent) => void,
): void {
  const at = row.createdAt;
  emit({
    kind: "run.created",
    at,
    run: runName(row),
    runId: row.id,
    flow: `${row.flow.project}/${row.flow.name}`,
    tags: row.tags,
    store: stores.place,
    storeIsNew: stores.isNew,
    ...(stores.isAbove ? { storeIsAbove: true } : {}),
  });
  for (const upstream of upstreams) {
    if (upstream.run === undefined) continue;
    emit({
      kind: "run.upstream",
      at,
      name: upstream.name,
      selector: describeSelector(upstream.selector),
      run: runName(upstream.run),
      runId: upstream.run.id,
      candidates: upstream.candidates,
    });
  }
  for (const { code, message, hint } of warnings)
    emit({ kind: "run.warning", at, code, message, ...(hint === undefined ? {} : { hint }) });
}
