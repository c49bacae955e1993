import { lastMetrics } from "../client/metrics.ts";
import { checkOptions, type OptionKinds } from "../errors/check-options.ts";
import { FlowError, type Problem, problemsError } from "../errors/flow-error.ts";
import type { Flow } from "../flow/flow.ts";
import type { FlowClass } from "../flow/public-types.ts";
import type { RunRow } from "../metadata/metadata-store.ts";
import { type MemoryStores, openMemoryStores } from "../wiring/open-memory-stores.ts";
import { failureText } from "../wiring/refuse-unfinished.ts";
import { type Driven, driveGiven } from "./drive-given.ts";
import { flowRunTasks } from "./flow-run-tasks.ts";
import type { FlowRun, FlowRunTask, RunFlowOptions } from "./flow-types.ts";
import { createGivenRun, type GivenRun } from "./given-run.ts";
import { seededRunId } from "./seeded-run-id.ts";

/**
 * Runs a whole flow in this thread and in memory: the real scheduler, the real driver and real records, but no store, no
 * files and no workers.
 *
 * Tasks run one after another unless `slots` says otherwise, in an order that the seed decides. Retry, catch and timeout
 * work as in any run; the delay before another attempt is not waited for, or is as long as a `fakeClock` says. A step that
 * runs another flow, `run(Other)`, gets its run in the same memory.
 *
 * @param options.allowFailure whether a run that failed or was cancelled is a result: `status` then says so
 * @throws FlowError FLOW_RUN_FAILED with what the step threw as its cause, FLOW_RUN_CANCELLED, and what refuses the run
 *   before it begins: FLOW_PARAMETER_…, FLOW_TESTING_…, FLOW_GRAPH_… with all problems of a kind at once
 * @example
 * ```ts
 * const { data, tasks } = await runFlow(Train, { upstreams: { source: { trainRows: rows } } });
 * expect(data.score).toBeGreaterThan(0.8);
 * expect(tasks.filter(({ step }) => step === "evaluate")).toHaveLength(4);
 * ```
 */
export async function runFlow<T extends Flow, const A extends boolean = false>(
  flow: FlowClass<T>,
  options: RunFlowOptions<T> & { readonly allowFailure?: A } = {},
): Promise<FlowRun<T, A>> {
  checkOptions("runFlow", options, FLOW_OPTIONS, "FLOW_TESTING_BAD_OPTION");
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 31);
  // Never closed: what it holds is read when it is asked for, and goes with the result.
  const stores = openMemoryStores();
  const run = await createGivenRun(stores, flow, {
    id: seededRunId(seed),
    createdAt: options.clock?.now() ?? new Date(),
    params: options.params,
    upstreams: options.upstreams as GivenOptions["upstreams"],
    tags: options.tags,
    with: options.with,
    environment: options.environment,
  });
  refuseMissing(run);
  const driven = await driveGiven(stores, run, { ...options, seed });
  if (driven.row.status !== "succeeded" && options.allowFailure !== true)
    throw unfinished(driven, seed, options.signal);
  const result: FlowRun<Flow, boolean> = {
    status: driven.row.status as FlowRun<Flow, true>["status"],
    data: dataOf(stores, driven.row),
    metrics: { ...(await lastMetrics(stores.metadata, driven.row)) },
    tasks: (await flowRunTasks(stores, driven.row, driven.events)) as readonly FlowRunTask<Flow>[],
    events: driven.events,
    seed,
    ...("thrown" in driven ? { error: driven.thrown } : {}),
  };
  return result as unknown as FlowRun<T, A>;
}

const FLOW_OPTIONS: OptionKinds<RunFlowOptions<Flow> & { readonly allowFailure: boolean }> = {
  params: "object",
  upstreams: "object",
  tags: "texts",
  signal: "signal",
  clock: "any",
  seed: "any",
  with: "any",
  finishSiblings: "any",
  environment: "any",
  slots: "any",
  output: "any",
  allowFailure: "any",
};

type GivenOptions = Parameters<typeof createGivenRun>[2];

/** What a real run refuses before it begins: it could not have been found. */
function refuseMissing({ prepared: { definition }, upstreams: { missing } }: GivenRun): void {
  const problems = [...missing.values()].map(
    (name): Problem => ({
      code: "FLOW_TESTING_NO_UPSTREAM",
      message: `The upstream "${name}" is not given`,
      hint: `Give its artifacts: upstreams: { ${name}: { … } }`,
    }),
  );
  if (problems.length > 0) throw problemsError(`Cannot run ${definition.name}`, problems);
}

function unfinished({ row, ...driven }: Driven, seed: number, signal: AbortSignal | undefined): FlowError {
  const name = row.flow.name;
  if (row.status === "cancelled")
    return new FlowError("FLOW_RUN_CANCELLED", { message: `${name} was cancelled`, cause: signal?.reason });
  const { failure } = row;
  const { cause, ...why } =
    failure === undefined
      ? { cause: undefined, message: `${name} failed` }
      : {
          cause: driven.thrown,
          message: `${name} failed: ${failureText(failure)}`,
        };
  return new FlowError("FLOW_RUN_FAILED", {
    ...why,
    hint: `To start its tasks in this order again, give seed: ${seed}`,
    context: { seed, ...(failure?.task === undefined ? {} : { task: failure.task }) },
    cause,
  });
}

/** What a succeeded run left behind. */
function dataOf({ reader, artifacts }: MemoryStores, row: RunRow): Readonly<Record<string, unknown>> {
  if (row.endTask === undefined) return {};
  const rows = [...reader.runValues(row.sequence), ...reader.visibleArtifacts(row.endTask)];
  return Object.fromEntries(rows.map((value) => [value.name, artifacts.loadSync(value, reader.blob(value.digest))]));
}
