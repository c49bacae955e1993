/** A stored run as the lines of its entries. The same run gives the same lines from whichever store it is read. */
import type { ArtifactRef, Digest } from "../artifact/artifact.ts";
import { FlowError } from "../errors/flow-error.ts";
import { runName } from "../lineage/run-name.ts";
import type {
  LogSequence,
  MetadataReader,
  RunDigests,
  RunRow,
  TaskRow,
  TaskSequence,
  UpstreamRead,
} from "../metadata/metadata-store.ts";
import type { MetricRow } from "../metadata/metric.ts";
import { MAX_LOG_CHARACTERS, MAX_METRIC_VALUES } from "./limits.ts";
import type { OriginLine, RecordLine, RunLine } from "./lines.ts";

/** The place of a task that is not one of the run: a line that nobody takes, so that it is refused and not left out. */
const NO_PLACE = -1;
const PAGE = 1_000;
/** A look for the output of one task costs as much as some twenty rows that are passed over. */
const MOST_LOOKS = 1_000;

/** Told of every value and package that a line names. */
export interface LineListener {
  blob(ref: ArtifactRef, owner: string): void;
  package(digest: Digest): void;
}

/** Lines of `records.jsonl`. */
export async function* recordLines(
  metadata: MetadataReader,
  run: RunRow,
  listener?: LineListener,
): AsyncGenerator<RecordLine, void> {
  const named = runName(run);
  const { sequence } = run;
  const counts = await metadata.taskCounts(sequence);
  const executions = await metadata.executions(sequence);
  const reads = Map.groupBy(await metadata.reads(sequence), (read) => read.task);
  const places = await placesOf(metadata, run);
  const digests = await metadata.recordDigests(sequence);
  const metrics = (await metadata.runMetrics(sequence)).map(({ name }) => name);
  if (run.packageDigest !== undefined) listener?.package(run.packageDigest);
  yield runLine(run, {
    tasks: counts.reduce((sum, { attempts }) => sum + attempts, 0),
    executions: run.execution.number, // And not how many there are: it is seen that way when one is lost.
    endTask: run.endTask === undefined ? undefined : placeOf(places, run.endTask),
    digests,
  });
  for (const { run: _, packageDigest, startedAt, heartbeatAt, endedAt, status, command, ...rest } of executions) {
    if (packageDigest !== undefined) listener?.package(packageDigest);
    yield {
      kind: "execution",
      ...rest,
      command: [...command],
      packageDigest,
      startedAt: startedAt.toISOString(),
      heartbeatAt: heartbeatAt.toISOString(),
      endedAt: endedAt?.toISOString(),
      // What is shown as lost is stored as running: nobody was left to write it.
      status: status === "running" ? "lost" : status,
    };
  }
  for (const { kind, ...value } of await metadata.runValues(sequence)) {
    listener?.blob(value, `${kind} "${value.name}" of ${named}`);
    yield { kind: "value", as: kind, ...value };
  }
  for (const { run: _, flow, resolvedAt, candidates, ...rest } of await metadata.upstreams(sequence)) {
    const identity = "project" in flow ? { project: flow.project, name: flow.name } : { name: flow.name };
    yield {
      kind: "upstream",
      ...rest,
      flow: identity,
      candidates: [...candidates],
      resolvedAt: resolvedAt.toISOString(),
    };
  }
  for await (const row of tasksOf(metadata, run))
    yield* taskLines(metadata, row, { named, places, reads, digests, metrics, listener });
  for (const [sequence, of] of reads)
    if (!places.has(sequence)) for (const { task: _, ...read } of of) yield { kind: "read", task: NO_PLACE, ...read };
  yield* logLines(metadata, run, places);
}

interface TaskFacts {
  readonly named: string;
  readonly places: ReadonlyMap<TaskSequence, number>;
  readonly reads: ReadonlyMap<TaskSequence, readonly UpstreamRead[]>;
  readonly digests: RunDigests;
  /** Names of all metrics of the run. */
  readonly metrics: readonly string[];
  readonly listener: LineListener | undefined;
}

async function* taskLines(
  metadata: MetadataReader,
  row: TaskRow,
  { named, places, reads, digests, metrics, listener }: TaskFacts,
): AsyncGenerator<RecordLine, void> {
  const task = places.get(row.sequence)!;
  const { sequence, run: _, inherits, origin, startedAt, finishedAt, status, valueReads, ...rest } = row;
  yield {
    kind: "task",
    task,
    ...rest,
    status: status as (RecordLine & { kind: "task" })["status"],
    startedAt: startedAt.toISOString(),
    finishedAt: finishedAt?.toISOString(),
    inherits: inherits === undefined ? undefined : placeOf(places, inherits),
    takenFrom: origin?.kind,
    valueReads: valueReads === undefined ? undefined : [...valueReads],
    terms: digests.tasks.get(sequence)?.terms,
    recordDigest: digests.tasks.get(sequence)?.digest,
  };
  const owner = `${named}/${row.step}${row.path === "" ? "" : `/${row.path}`}`;
  for (const { gone, ...artifact } of await metadata.ownArtifacts(sequence)) {
    if (gone === undefined) listener?.blob(artifact, `artifact "${artifact.name}" of ${owner}`);
    const given = gone === undefined ? undefined : { reason: gone.reason, at: gone.at.toISOString() };
    yield { kind: "artifact", task, ...artifact, gone: given };
  }
  if (row.fanOut !== undefined) {
    for (let first = 0; ; ) {
      const page = await metadata.itemPage(sequence, first);
      if (page === undefined) break;
      const { split, ...ref } = page;
      listener?.blob(ref, `items from ${ref.first} of ${owner}`);
      yield { kind: "page", task, ...ref };
      first = ref.first + ref.count;
    }
  }
  for (const { task: _, ...read } of reads.get(sequence) ?? []) yield { kind: "read", task, ...read };
  for (const name of metrics) yield* metricLines(metadata, row, { task, name });
}

/** The values of one metric of a task, in pieces. */
async function* metricLines(
  metadata: MetadataReader,
  row: TaskRow,
  { task, name }: { readonly task: number; readonly name: string },
): AsyncGenerator<RecordLine, void> {
  for (let after: Pick<MetricRow, "task" | "position"> | undefined; ; ) {
    const rows = await metadata.metricValues({
      run: row.run,
      name,
      task: row.sequence,
      limit: MAX_METRIC_VALUES,
      ...(after === undefined ? {} : { after }),
    });
    const last = rows.at(-1);
    if (last === undefined) return;
    const steps = rows.some(({ step }) => step !== undefined) ? { steps: rows.map(({ step }) => step ?? null) } : {};
    yield {
      kind: "metric",
      task,
      name,
      first: rows[0]!.position,
      values: rows.map(({ value }) => jsonNumber(value)),
      ...steps,
    };
    if (rows.length < MAX_METRIC_VALUES) return;
    after = last;
  }
}

function jsonNumber(value: number): number | "NaN" | "Infinity" | "-Infinity" {
  return Number.isFinite(value) ? value : (String(value) as "NaN" | "Infinity" | "-Infinity");
}

function runLine(
  run: RunRow,
  facts: {
    readonly tasks: number;
    readonly executions: number;
    readonly endTask: number | undefined;
    readonly digests: RunDigests;
  },
): RunLine {
  const { id, flow, status, packageDigest, systemTags, parameters, secretParameters, environment, failure } = run;
  if (status === "running" || status === "queued") throw notOver(run);
  return {
    kind: "run",
    id,
    flow: { project: flow.project, name: flow.name },
    status,
    createdAt: run.createdAt.toISOString(),
    startedAt: run.startedAt?.toISOString(),
    finishedAt: run.finishedAt?.toISOString(),
    endTask: facts.endTask,
    tasks: facts.tasks,
    executions: facts.executions,
    packageDigest,
    systemTags: [...systemTags],
    parameters,
    secretParameters: [...secretParameters],
    environment,
    failure: failure as RunLine["failure"],
    origin: run.origin as RunLine["origin"],
    parent: run.parent,
    startDigest: facts.digests.start,
    endDigest: facts.digests.end,
  };
}

export function notOver(run: RunRow): FlowError {
  return new FlowError("FLOW_TRANSFER_NOT_OVER", {
    message: `Cannot export ${runName(run)}: it is ${run.status}`,
    hint: "Wait until it has ended",
    context: { run: run.id, status: run.status },
  });
}

async function* tasksOf(metadata: MetadataReader, run: RunRow): AsyncGenerator<TaskRow, void> {
  let after: TaskSequence | undefined;
  for (;;) {
    const page = await metadata.tasks({
      run: run.sequence,
      limit: PAGE,
      ...(after === undefined ? {} : { after }),
    });
    yield* page;
    after = page.at(-1)?.sequence;
    if (page.length < PAGE) return;
  }
}

/** Where each attempt stands among all of the run, from 0. */
async function placesOf(metadata: MetadataReader, run: RunRow): Promise<ReadonlyMap<TaskSequence, number>> {
  const places = new Map<TaskSequence, number>();
  for await (const { sequence } of tasksOf(metadata, run)) places.set(sequence, places.size);
  return places;
}

function placeOf(places: ReadonlyMap<TaskSequence, number>, task: TaskSequence): number {
  return places.get(task) ?? NO_PLACE;
}

async function* logLines(
  metadata: MetadataReader,
  run: RunRow,
  places: ReadonlyMap<TaskSequence, number>,
): AsyncGenerator<RecordLine, void> {
  if ((await metadata.logEnd()) === 0) return;
  // Where the run's output begins: a look for each task, or, of many tasks, at all output of the store.
  let first = places.size > MOST_LOOKS ? 1 : Number.POSITIVE_INFINITY;
  for (const task of first === 1 ? [] : places.keys()) {
    const [row] = await metadata.logs({ task, limit: 1 });
    if (row !== undefined) first = Math.min(first, row.sequence);
  }
  if (first === Number.POSITIVE_INFINITY) return;
  for (let after = (first - 1) as LogSequence; ; ) {
    const { rows, next } = await metadata.runLogs({ run: run.sequence, after, limit: PAGE });
    for (const { task, attempt, stream, at, text } of rows) {
      const line = { kind: "log", task: placeOf(places, task), attempt, stream, at: at.toISOString() } as const;
      for (const piece of logPieces(text)) yield { ...line, text: piece };
    }
    if (rows.length < PAGE) return;
    after = next;
  }
}

/** A text in pieces that a reader takes; no character is cut in two. */
export function* logPieces(text: string): Generator<string, void> {
  if (text === "") yield "";
  for (let from = 0; from < text.length; ) {
    let end = Math.min(from + MAX_LOG_CHARACTERS, text.length);
    const last = text.charCodeAt(end - 1);
    if (end < text.length && last >= 0xd800 && last < 0xdc00) end--;
    yield text.slice(from, end);
    from = end;
  }
}

/** Lines of `origins.jsonl`: of tasks that were taken over from tasks that this store has. */
export async function* originLines(metadata: MetadataReader, run: RunRow): AsyncGenerator<OriginLine, void> {
  const ids = new Map<number, RunRow["id"] | undefined>();
  let place = -1;
  for await (const { origin } of tasksOf(metadata, run)) {
    place++;
    const task = origin === undefined ? undefined : await metadata.task(origin.task);
    if (task === undefined) continue;
    if (!ids.has(task.run)) ids.set(task.run, (await metadata.run(task.run))?.id);
    const id = ids.get(task.run);
    if (id !== undefined) yield { task: place, run: id, step: task.step, path: task.path, attempt: task.attempt };
  }
}
