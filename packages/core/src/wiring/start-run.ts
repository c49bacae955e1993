/**
 * From a flow and a request to a new run: prepare it, resolve its upstreams, create it with everything that is pinned, and
 * execute it. All that can be refused is refused before the run is created; from then on the run's record says what
 * happened.
 */
import { availableParallelism } from "node:os";
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
import type { Executor } from "../runner/executor.ts";
import { executeRun } from "./execute-run.ts";
import { openExecutor } from "./open-executor.ts";
import type { OpenStores } from "./open-stores.ts";
import type { PlannedStores } from "./plan-stores.ts";
import { type PreparedRun, type PrepareRunRequest, prepareRun } from "./prepare-run.ts";
import { storeRunValues } from "./run-values.ts";
import type { RunSignals } from "./running.ts";
import { shuffleBy } from "./shuffle-by.ts";
import { storePackage } from "./store-package.ts";

export interface StartRunRequest extends PrepareRunRequest {
  /** Opened when nothing but the store itself can refuse the run any more. */
  readonly stores: Pick<PlannedStores, "location" | "open">;
  /** By name of the upstream. */
  readonly upstreams: Readonly<Record<string, UpstreamRequest>>;
  /** Workers at most; default the number of processors, at least 2. */
  readonly maxWorkers?: number;
  /** Whether an upstream that several runs match is an error. */
  readonly strict?: boolean;
  /** After a failure, whether all that does not depend on it goes on. */
  readonly finishSiblings?: boolean;
  /** Rounds that a loop may have. */
  readonly maxRounds?: number;
  readonly cwd: string;
  /** Recorded with the run; secrets are left out. */
  readonly command: readonly string[];
}

/**
 * Runs a flow.
 *
 * @returns the finished run; a failed or cancelled run is a result, not an error
 * @throws FlowError for everything that is refused before the run exists, and when the store fails
 */
export async function startRun(
  request: StartRunRequest,
  emit: (event: RunEvent) => void,
  signals: RunSignals,
): Promise<RunRow> {
  const config = resolveConfig({ cwd: request.cwd, environment: request.environment });
  const environment = environmentOf(request, config);
  const executor = openWorkers(request);
  try {
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
    const workers = await executor;
    const facts = { config, environment: await environment, upstreams };
    const row = await create(request, prepared, stores, facts);
    announce(row, stores, upstreams, [...(request.package.warnings ?? []), ...warnings], emit);
    const { finishSiblings, maxRounds } = request;
    return await executeRun({
      stores,
      databaseFile: request.stores.location.databaseFile,
      row,
      execution: row.execution.number,
      prepared,
      executor: workers,
      emit,
      signals,
      ...shuffleBy(config),
      ...(finishSiblings === undefined ? {} : { finishSiblings }),
      ...(maxRounds === undefined ? {} : { maxRounds }),
    });
  } finally {
    await executor.then(
      (opened) => opened.close(),
      () => {},
    );
  }
}

/** Starts the workers early: they load the flow while the main thread checks what may refuse the run. */
export function openWorkers(
  request: Pick<StartRunRequest, "package" | "flow" | "stores" | "cwd" | "maxWorkers" | "environment">,
): Promise<Executor> {
  const { folder, root, manifest } = request.package;
  const executor = openExecutor({
    worker: {
      package: { folder, root, manifest },
      exportName: request.flow.exportName,
      store: request.stores.location,
      cwd: request.cwd,
    },
    slots: request.maxWorkers ?? Math.max(2, availableParallelism()),
    environment: request.environment,
  });
  executor.catch(() => {}); // Whoever awaits it is told; the run may be refused before.
  return executor;
}

/** Versions, host, git state and command of this process, read beside everything else. */
export function environmentOf(
  request: Pick<StartRunRequest, "flow" | "environment" | "command" | "package">,
  config: Config,
): Promise<EnvironmentRecord> {
  const secretFlags = request.flow.definition.params.filter((param) => param.secret).map((param) => param.flag);
  const environment = readEnvironmentRecord({
    config,
    environment: request.environment,
    command: request.command,
    secretFlags,
    gitFolder: request.package.root,
    root: request.package.root,
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
  await stores.metadata.putPackage(pack);
  const { values, blobs } = storeRunValues(prepared.values, stores.artifacts);
  return stores.metadata.createRun({
    id: newRunId(),
    flow: { project: definition.project, name: definition.name },
    formerly: definition.formerly,
    createdAt: new Date(),
    tags: prepared.tags,
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
  });
}

/** How the run was asked for, so that it can be continued likewise. */
export function optionsOf(
  request: Pick<StartRunRequest, "with" | "cache" | "finishSiblings" | "maxRounds" | "maxWorkers">,
): Readonly<Record<string, unknown>> {
  const { with: words, cache, finishSiblings, maxRounds, maxWorkers } = request;
  return {
    ...(words === undefined || words.length === 0 ? {} : { with: words }),
    ...(cache === undefined ? {} : { cache }),
    ...(finishSiblings === undefined ? {} : { finishSiblings }),
    ...(maxRounds === undefined ? {} : { maxRounds }),
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
    store: stores.folder,
    storeIsNew: stores.isNew,
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
