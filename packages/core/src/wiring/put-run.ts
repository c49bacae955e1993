/**
 * A run of something that was made elsewhere: files become its artifacts, and from then on it is a run like any other, for tags,
 * lineage, validation, upstreams and export. It has one task, `put`, and no code.
 */
import path from "node:path";
import type { NewBlob } from "../artifact/artifact.ts";
import { file, folder } from "../artifact/files/file.ts";
import { type KeptFile, keepFile } from "../artifact/files/keep-file.ts";
import { encodeValue } from "../artifact/value-codec.ts";
import { findRun } from "../client/find-run.ts";
import { runRecord } from "../client/run-record.ts";
import { checkRequestedTags } from "../client/tag-checks.ts";
import { type Environment, resolveConfig } from "../config/config.ts";
import { readEnvironmentRecord } from "../config/environment-record.ts";
import { readProcessIdentity } from "../config/process-identity.ts";
import { type Problem, problemsError } from "../errors/flow-error.ts";
import type { RunRecord } from "../events/run-record.ts";
import type { UpstreamDefinition } from "../flow/definition.ts";
import { isName, metricNameProblem } from "../ids/names.ts";
import { newRunId } from "../ids/run-id.ts";
import type { TaskPath } from "../ids/task-path.ts";
import { checkTags } from "../lineage/check-tags.ts";
import { resolveUpstreams, type UpstreamRequest } from "../lineage/resolve-upstreams.ts";
import type { NewArtifact, RunRow } from "../metadata/metadata-store.ts";
import type { MetricSeries } from "../metadata/metric.ts";
import { projectName } from "../package/project-name.ts";
import { failRun } from "./fail-run.ts";
import type { OpenStores } from "./open-stores.ts";
import { storeRunValues } from "./run-values.ts";

/** The one step of such a run. */
const STEP = "put";

export interface PutRequest {
  /** Name of the flow whose run it becomes. */
  readonly flow: string;
  /** Paths by name of the artifact: of files, and of folders. */
  readonly files: Readonly<Record<string, { readonly path: string; readonly isFolder: boolean }>>;
  /** What is to be known about it: parameters of the run. */
  readonly parameters: Readonly<Record<string, string>>;
  /** How good it is: recorded as metrics of its one task. Any numbers, at most 1,000. */
  readonly metrics?: ReadonlyMap<string, number>;
  /** What it was made from: runs, by name of the upstream. */
  readonly upstreams: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
  /** Why it is to have its tags: kept in the log, and asked for by some policies. */
  readonly tagReason?: string;
  readonly cwd: string;
  readonly environment: Environment;
  /** Recorded with the run. */
  readonly command: readonly string[];
}

export interface PutAnswer {
  readonly record: RunRecord;
  readonly warnings: readonly Problem[];
}

/**
 * Stores files and records them as a run that succeeded.
 *
 * @param openStores called when nothing but the store itself can refuse it any more
 * @throws FlowError FLOW_DEFINITION_BAD_NAME, FLOW_RUNNER_BAD_METRIC, FLOW_LINEAGE_ codes of tags and upstreams, FLOW_ARTIFACT_BAD_FILE, and when the store fails
 */
export async function putRun(openStores: () => Promise<OpenStores>, request: PutRequest): Promise<PutAnswer> {
  const tags = checkTags(request.tags);
  refuseNames(request);
  const config = resolveConfig(request);
  const { cwd, environment, command } = request;
  const facts = readEnvironmentRecord({ config, environment, command });
  facts.catch(() => {}); // Awaited later, unless it is refused before.
  const { artifacts, metadata } = await openStores();
  const project = projectName(path.join(cwd, "package.json"));
  const { upstreams, warnings } = await resolve(metadata, request, project);
  // Everything is stored before there is a run: what can fail for long is over when its record begins.
  const rows: NewArtifact[] = [];
  const blobs = new Map<string, NewBlob>();
  for (const [name, { path, isFolder }] of Object.entries(request.files)) {
    const value = isFolder ? folder(path) : file(path);
    const { ref, store } = (await keepFile(artifacts, value, { path: name, field: name })) as KeptFile;
    rows.push({ name, ...ref });
    const blob = blobs.has(ref.digest) ? undefined : await store();
    if (blob !== undefined) blobs.set(ref.digest, blob);
  }
  const values = storeRunValues(
    Object.entries(request.parameters).map(([name, value]) => ({
      name,
      kind: "parameter" as const,
      encoded: encodeValue(value, { path: name }),
    })),
    artifacts,
  );
  const createdAt = new Date();
  const run = await metadata.createRun({
    id: newRunId(),
    flow: { project, name: request.flow },
    formerly: [],
    createdAt,
    tags,
    systemTags: [],
    parameters: request.parameters,
    secretParameters: [],
    values: values.values,
    blobs: values.blobs,
    environment: await facts,
    upstreams,
    actor: config.actor,
    host: config.host,
    ...(request.tagReason === undefined ? {} : { tagReason: request.tagReason }),
    execution: { runner: readProcessIdentity(), command, options: {} },
  });
  try {
    const row = await finish({ metadata, artifacts }, run, { rows, blobs: [...blobs.values()], request });
    return { record: await runRecord(metadata, row), warnings };
  } catch (error) {
    await failRun(metadata, { run: run.sequence, execution: 1 }, error);
    throw error;
  }
}

async function finish(
  stores: Pick<OpenStores, "metadata" | "artifacts">,
  run: RunRow,
  left: { readonly rows: readonly NewArtifact[]; readonly blobs: readonly NewBlob[]; readonly request: PutRequest },
): Promise<RunRow> {
  const { metadata, artifacts } = stores;
  await artifacts.settle?.(left.blobs);
  const metrics = metricsOf(left.request);
  const task = await metadata.reserveTasks(1);
  const finishedAt = new Date();
  await metadata.commitTick({
    run: run.sequence,
    execution: 1,
    started: [
      { sequence: task, run: run.sequence, step: STEP, path: "1" as TaskPath, attempt: 1, startedAt: run.createdAt },
    ],
    blobs: left.blobs,
    finished: [
      {
        sequence: task,
        status: "succeeded",
        finishedAt,
        artifacts: left.rows,
        pages: [],
        ...(metrics.length === 0 ? {} : { metrics }),
      },
    ],
    reads: [],
    logs: [],
  });
  const asked = (await metadata.tagRequests(run.sequence)).length > 0;
  const succeeded: RunRow = { ...run, status: "succeeded", finishedAt, endTask: task };
  return await metadata.finishRun({
    run: run.sequence,
    execution: 1,
    status: "succeeded",
    finishedAt,
    endTask: task,
    ...(asked ? { tagChecks: await checkRequestedTags(stores, succeeded) } : {}),
  });
}

function metricsOf({ metrics }: PutRequest): readonly MetricSeries[] {
  return [...(metrics ?? [])].map(([name, value]) => ({ name, values: Float64Array.of(value) }));
}

/** Names of metrics that one task may record. */
const MOST_METRICS = 1_000;

/** All names that cannot be, at once. */
function refuseNames({ flow, files, parameters, upstreams, metrics = new Map() }: PutRequest): void {
  const problems: Problem[] = [];
  const look = (name: string, what: string): void => {
    if (!isName(name))
      problems.push({
        code: "FLOW_DEFINITION_BAD_NAME",
        message: `${JSON.stringify(name)} cannot be the name of ${what}`,
        hint: "Use letters, digits and _, beginning with a letter",
      });
  };
  look(flow, "a flow");
  for (const name of Object.keys(files)) look(name, "an artifact");
  for (const name of Object.keys(parameters)) look(name, "a parameter");
  for (const name of Object.keys(upstreams)) look(name, "an upstream");
  const badMetric = (message: string, hint: string): void =>
    void problems.push({ code: "FLOW_RUNNER_BAD_METRIC", message, hint });
  for (const name of metrics.keys()) {
    const why = metricNameProblem(name);
    if (why !== undefined)
      badMetric(
        `Cannot record the metric ${JSON.stringify(name.slice(0, 200))}: ${why}`,
        'Write a name such as "r2", "val/loss" or "recall@5"',
      );
  }
  if (metrics.size > MOST_METRICS)
    badMetric(`There are ${metrics.size} metrics, the limit is ${MOST_METRICS}`, "Put the numbers as a file");
  const taken = new Map<string, string>();
  for (const [kind, names] of Object.entries({ artifact: files, parameter: parameters, upstream: upstreams })) {
    for (const name of Object.keys(names)) {
      const other = taken.get(name);
      if (other !== undefined)
        problems.push({
          code: "FLOW_DEFINITION_BAD_NAME",
          message: `"${name}" is the name of ${article(other)} and of ${article(kind)}`,
          hint: HINTS[kind]!,
        });
      taken.set(name, kind);
    }
  }
  if (problems.length > 0) throw problemsError(`Cannot put ${flow}`, problems);
}

function article(kind: string): string {
  return `${kind === "parameter" ? "a" : "an"} ${kind}`;
}

/** How the second of two things with one name gets another one. */
const HINTS: Readonly<Record<string, string>> = {
  parameter: "Give it another name: --meta OTHER=VALUE",
  upstream: "Give it another name: --upstream OTHER=SELECTOR",
};

/** As for `upstream()` of a flow, asked for by hand. */
async function resolve(metadata: OpenStores["metadata"], { upstreams }: PutRequest, project: string) {
  const definitions: UpstreamDefinition[] = [];
  const requests: Record<string, UpstreamRequest> = {};
  for (const [name, text] of Object.entries(upstreams)) {
    const { run, selector } = await findRun(metadata, text, { successfulOnly: true });
    definitions.push({ name, flow: run.flow, tags: [], hasLateTags: false, optional: false });
    if (selector.tags !== undefined) requests[name] = { tags: selector.tags };
    else if (selector.number !== undefined || selector.runId !== undefined) requests[name] = { run: text };
  }
  return await resolveUpstreams({
    metadata,
    definitions,
    requests,
    lateTags: {},
    now: new Date(),
    strict: false,
    project,
  });
}
