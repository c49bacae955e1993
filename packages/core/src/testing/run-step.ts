import { storedItems } from "../artifact/item-pages.ts";
import { decodeValue } from "../artifact/value-codec.ts";
import { checkOptions, type OptionKinds } from "../errors/check-options.ts";
import { FlowError, serializeError } from "../errors/flow-error.ts";
import type { Flow } from "../flow/flow.ts";
import type { FlowClass, StepName } from "../flow/public-types.ts";
import type { Graph } from "../graph/graph.ts";
import type { ArtifactRow, LogChunk, TaskReader } from "../metadata/metadata-store.ts";
import type { TaskResult, WorkerMessage } from "../runner/protocol.ts";
import { SecretMask } from "../runner/secret-mask.ts";
import { stepContract } from "../runner/step-contract.ts";
import { executeTask } from "../runner/worker/execute-task.ts";
import { MessageOutput } from "../runner/worker/message-output.ts";
import { OutputCapture } from "../runner/worker/output-capture.ts";
import { ValueLoader } from "../runner/worker/value-loader.ts";
import { WorkerRun } from "../runner/worker/worker-run.ts";
import { type MemoryStores, openMemoryStores } from "../wiring/open-memory-stores.ts";
import { createGivenRun, type GivenRun } from "./given-run.ts";
import { type AnyStepOptions, type GivenTaskRow, putTask } from "./given-task.ts";
import { seededRunId } from "./seeded-run-id.ts";
import { stepMetrics } from "./step-metrics.ts";
import type { RunStepOptions, StepRun } from "./step-types.ts";
import { taskLogs } from "./task-log.ts";

/**
 * Runs one step on given values, in this thread and in memory: no store, no files, no worker.
 *
 * It runs as it would in a run. Values are encoded and decoded on their way in and out, so the step gets private copies,
 * and what cannot be kept is refused here too. Parameters are checked by their schemas. What a runner does around a step
 * is left out: no retry, no timeout, no catch; an error that the step throws is thrown as it is, the very object.
 *
 * @param flow the class
 * @param step which step; joins take `inputs` as a list or by step name, a step after a foreach takes `item`
 * @returns what the step left, and where it leads
 * @throws what the step throws; FlowError FLOW_TESTING_BAD_OPTION, FLOW_PARAMETER_… and FLOW_TESTING_… with all problems of a kind at once,
 *   FLOW_ARTIFACT_UNSERIALISABLE for a value that cannot be kept
 * @example
 * ```ts
 * const { data } = await runStep(Train, "evaluate", {
 *   item: { name: "forest", trees: 10 },
 *   upstreams: { source: { trainRows: rows } },
 * });
 * expect(data.score).toBeGreaterThan(0.8);
 * ```
 */
export async function runStep<T extends Flow, const K extends StepName<T>>(
  flow: FlowClass<T>,
  step: K,
  options: RunStepOptions<T, K>,
): Promise<StepRun<T>> {
  const given = options as unknown as AnyStepOptions;
  checkOptions("runStep", given, STEP_OPTIONS, "FLOW_TESTING_BAD_OPTION");
  const stores = openMemoryStores();
  try {
    const run = await createGivenRun(stores, flow, {
      id: seededRunId(given.seed ?? 1),
      createdAt: new Date(),
      params: given.params,
      upstreams: given.upstreams,
      tags: given.tags,
    });
    const task = await putTask(stores, run, step as string, given);
    const { result, logs } = await execute(stores, run, flow, task, given);
    return leftBy(stores, run, task, result, logs) as unknown as StepRun<T>;
  } finally {
    await stores.close();
  }
}

const STEP_OPTIONS: OptionKinds<AnyStepOptions> = {
  inputs: "any",
  before: "any",
  item: "any",
  index: "any",
  params: "object",
  upstreams: "object",
  tags: "texts",
  attempt: "any",
  signal: "signal",
  seed: "any",
  output: "any",
};

/** Runs the step; what it throws is thrown. */
async function execute(
  stores: MemoryStores,
  run: GivenRun,
  flowClass: FlowClass<Flow>,
  task: GivenTaskRow,
  given: AnyStepOptions,
): Promise<{ readonly result: Success; readonly logs: readonly LogChunk[] }> {
  let thrown: { readonly error: unknown } | undefined;
  const reader = readerOf(stores.reader, run);
  const loader = new ValueLoader(stores.artifacts, (digest) => reader.blob(digest));
  const environment = {
    flowClass,
    artifacts: stores.artifacts,
    signal: given.signal ?? new AbortController().signal,
    describeError: serializeError,
    onThrown: (error: unknown) => {
      thrown = { error };
    },
  };
  const body = () =>
    executeTask(
      environment,
      new WorkerRun(run.context, reader, loader),
      stepContract(run.prepared.graph, task.step),
      task,
    );
  const { result, logs } =
    given.output === "passed" ? { result: await body(), logs: [] } : await captured(run, task, body);
  const { outcome } = result;
  if (outcome.kind === "succeeded" || outcome.kind === "skipped") return { result: { ...result, outcome }, logs };
  throw thrown === undefined ? new FlowError("FLOW_INTERNAL", { message: "A step failed with nothing" }) : thrown.error;
}

type Executed = Awaited<ReturnType<typeof executeTask>>;
type Success = Executed & {
  readonly outcome: Extract<TaskResult["outcome"], { readonly kind: "succeeded" | "skipped" }>;
};

async function captured(
  run: GivenRun,
  task: GivenTaskRow,
  body: () => Promise<Executed>,
): Promise<{ readonly result: Executed; readonly logs: readonly LogChunk[] }> {
  const live: LogChunk[] = [];
  const send = (message: WorkerMessage): void => {
    if (message.kind === "output") live.push(message.chunk);
  };
  const capture = new OutputCapture(new MessageOutput(send));
  const mask = new SecretMask(Object.values(run.context.secrets));
  try {
    const { value, logs } = await capture.during(task.sequence, task.attempt, mask, body);
    return { result: value, logs: [...live, ...logs] };
  } finally {
    capture.close();
  }
}

/** Reads the memory store; an upstream that the test has not given is told by its name. */
function readerOf(reader: TaskReader, { upstreams: { missing } }: GivenRun): TaskReader {
  return {
    runById(id) {
      const name = missing.get(id);
      if (name === undefined) return reader.runById(id);
      throw new FlowError("FLOW_TESTING_NO_UPSTREAM", {
        message: `Cannot read the upstream "${name}": the test gives no artifacts for it`,
        hint: `Give them: upstreams: { ${name}: { … } }`,
        context: { upstream: name },
      });
    },
    runValues: (run) => reader.runValues(run),
    upstreams: (run) => reader.upstreams(run),
    visibleArtifacts: (task) => reader.visibleArtifacts(task),
    leftBy: (tasks) => reader.leftBy(tasks),
    itemPage: (split, index) => reader.itemPage(split, index),
    blob: (digest) => reader.blob(digest),
    isAsLeft: (task) => reader.isAsLeft(task),
    cacheEntries: (key, query) => reader.cacheEntries(key, query),
    blobsOfTask: (task) => reader.blobsOfTask(task),
    close: () => reader.close(),
  };
}

/** What the step left, read back from what was kept. */
function leftBy(
  stores: MemoryStores,
  run: GivenRun,
  task: GivenTaskRow,
  { outcome, blobs }: Success,
  logs: readonly LogChunk[],
): StepRun<Flow> {
  const fresh = new Map(blobs.map((blob) => [blob.digest, blob]));
  const loader = new ValueLoader(stores.artifacts, (digest) => fresh.get(digest) ?? stores.reader.blob(digest));
  const owner = `the step "${task.step}"`;
  const inherited = task.inherits === undefined ? [] : stores.reader.visibleArtifacts(task.inherits);
  const rows = new Map<string, ArtifactRow>([...inherited, ...outcome.artifacts].map((row) => [row.name, row]));
  const data = Object.fromEntries([...rows.values()].map((row) => [row.name, loader.load(row, owner)]));
  const { choice, fanOut } = outcome;
  return {
    data,
    next: nextSteps(run.prepared.graph, task.step, { choice, fanOut }) as readonly never[],
    metrics: stepMetrics(outcome.metrics ?? []),
    logs: taskLogs(logs),
    ...(outcome.kind === "skipped" ? { skipped: outcome.reason } : {}),
    ...(choice === undefined ? {} : { choice }),
    ...(fanOut === undefined
      ? {}
      : {
          items: outcome.pages.flatMap((page) =>
            storedItems(loader.payload(page, `the items of ${owner}`)).map((item) =>
              decodeValue(item.codec, item.payload, { unknownClasses: "refuse" }),
            ),
          ),
        }),
  };
}

/** The steps that run after one that succeeded. */
function nextSteps(
  graph: Graph,
  step: string,
  outcome: { readonly choice: string | undefined; readonly fanOut: number | undefined },
): readonly string[] {
  const node = graph.nodes[step]!;
  if (outcome.fanOut === 0) return graph.order.filter((name) => graph.nodes[name]!.closes === step);
  const edges = node.outgoing.map((index) => graph.edges[index]!);
  const taken = edges.filter(({ kind, cases }) => kind !== "choice" || cases!.includes(outcome.choice!));
  return [...new Set(taken.map(({ to }) => to))];
}
