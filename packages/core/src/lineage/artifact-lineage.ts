/**
 * Where one artifact of a run comes from, or who read it. Inside of the run, what is recorded decides what is said: which
 * task set it; what that task read of upstreams and of the run's values; of artifacts of the same run, what it read when
 * that was kept for the step cache, and otherwise all that it began with, which is then said.
 */
import { FlowError } from "../errors/flow-error.ts";
import type { ArtifactInput, ArtifactOrigin, Lineage, LineageOptions } from "../events/lineage.ts";
import type { FlowDefinition } from "../flow/definition.ts";
import { checkGraph } from "../graph/check-graph.ts";
import type { Graph } from "../graph/graph.ts";
import type { TaskPath } from "../ids/task-path.ts";
import type { ArtifactRow, MetadataReader, RunRow, TaskRow, TaskSequence } from "../metadata/metadata-store.ts";
import { readManifest } from "../metadata/stored-columns.ts";
import { nearestName } from "../util/nearest-name.ts";
import { runName } from "./run-name.ts";
import { type FirstLinks, traceLineage } from "./trace-lineage.ts";

/** Tasks of one step that are looked at one by one; of more, their step is all that is said. */
const MAX_TASKS = 1_000;

/**
 * What an artifact was made from, or which runs were made from it.
 *
 * @param name  what the run left behind, or a parameter, config, file or constant of it
 * @throws FlowError FLOW_CLIENT_NO_ARTIFACT, FLOW_CLIENT_BAD_QUERY
 */
export async function traceArtifact(
  metadata: MetadataReader,
  run: RunRow,
  name: string,
  options: LineageOptions = {},
): Promise<Lineage> {
  const found = await findArtifact(metadata, run, name);
  const graph = await graphOf(metadata, run);
  const artifact = await originOf(metadata, { run, graph }, found);
  const first = options.direction === "down" ? { artifact: name } : await before(metadata, run, graph, found.task);
  return { ...(await traceLineage(metadata, run, options, first)), artifact };
}

interface FoundArtifact {
  readonly artifact: ArtifactRow & { readonly kind: string };
  readonly task?: TaskRow;
}

async function findArtifact(metadata: MetadataReader, run: RunRow, name: string): Promise<FoundArtifact> {
  const last = run.endTask ?? (await newestTask(metadata, run))?.sequence;
  const own = last === undefined ? undefined : await metadata.visibleArtifact(last, name);
  if (own !== undefined && last !== undefined) {
    const sequence = await metadata.artifactTask(last, name);
    const task = sequence === undefined ? undefined : await metadata.task(sequence);
    return { artifact: { ...own, kind: "artifact" }, ...(task === undefined ? {} : { task }) };
  }
  const values = await metadata.runValues(run.sequence);
  const value = values.find((each) => each.name === name);
  if (value !== undefined) return { artifact: value };
  const visible = last === undefined ? [] : await metadata.visibleArtifacts(last);
  const names = [...visible, ...values].map((each) => each.name);
  const near = nearestName(name, names);
  throw new FlowError("FLOW_CLIENT_NO_ARTIFACT", {
    message: `Cannot follow "${name}" of ${runName(run)}: the run left no artifact of this name`,
    hint:
      near !== undefined
        ? `Did you mean "${near}"?`
        : names.length === 0
          ? "There are none"
          : `There are ${names.slice(0, 20).join(", ")}${names.length > 20 ? ", …" : ""}`,
    context: { run: run.id, artifact: name, names },
  });
}

/** Of a run that did not succeed: the last task that finished. */
async function newestTask(metadata: MetadataReader, run: RunRow): Promise<TaskRow | undefined> {
  let found: TaskRow | undefined;
  let after: TaskSequence | undefined;
  for (;;) {
    const key = after === undefined ? {} : { after };
    const page = await metadata.tasks({
      run: run.sequence,
      status: "succeeded",
      newest: true,
      limit: MAX_TASKS,
      ...key,
    });
    found = page.at(-1) ?? found;
    if (page.length < MAX_TASKS) return found;
    after = found?.sequence;
  }
}

async function originOf(
  metadata: MetadataReader,
  { run, graph }: Within,
  { artifact, task }: FoundArtifact,
): Promise<ArtifactOrigin> {
  const { name, kind, codec, digest, sizeBytes } = artifact;
  const value = { name, kind, codec, digest, sizeBytes };
  if (task === undefined) return value;
  const recorded = recordedNames(await metadata.taskReads(task.sequence));
  const all = await inputsOf(metadata, { run, graph }, task);
  const inputs = recorded === undefined ? all : all.filter((input) => recorded.has(input.name));
  return {
    ...value,
    task: nameOf(run, task),
    ...(task.origin === undefined ? {} : { takenFrom: await takenFrom(metadata, task.origin) }),
    basis: recorded === undefined ? "before" : "recorded",
    inputs,
    ...(task.valueReads === undefined ? {} : { values: await givenAmong(metadata, run, task.valueReads) }),
  };
}

/** Of all that a task read by name, what the run was given; the names of upstreams are among them too. */
async function givenAmong(metadata: MetadataReader, run: RunRow, names: readonly string[]): Promise<readonly string[]> {
  const given = new Set((await metadata.runValues(run.sequence)).map(({ name }) => name));
  for (const name of run.secretParameters) given.add(name);
  return names.filter((name) => given.has(name));
}

interface Within {
  readonly run: RunRow;
  /** Undefined where the run keeps no definition that has one. */
  readonly graph: Graph | undefined;
}

async function takenFrom(
  metadata: MetadataReader,
  { task: sequence, kind }: NonNullable<TaskRow["origin"]>,
): Promise<NonNullable<ArtifactOrigin["takenFrom"]>> {
  const task = await metadata.task(sequence);
  const run = task === undefined ? undefined : await metadata.run(task.run);
  return task === undefined || run === undefined ? { kind } : { kind, task: nameOf(run, task) };
}

/** The artifacts of this run among what a task read; undefined when not all of it is known by name. */
function recordedNames(reads: readonly string[] | undefined): ReadonlySet<string> | undefined {
  // A merge reads whatever its inputs differ in: that it happened is kept, the names are not.
  if (reads === undefined || reads.some((read) => read.startsWith("inputs.merge "))) return undefined;
  const names = reads.map((read) => /^(?:this|inputs(?:\.before|\[[^\]]*\]))\.([^.]+)$/.exec(read)?.[1]);
  return new Set(names.filter((name) => name !== undefined));
}

/** What a task began with: what the task before it left, or at a join the inputs. */
async function inputsOf(
  metadata: MetadataReader,
  { run, graph }: Within,
  task: TaskRow,
): Promise<readonly ArtifactInput[]> {
  if (task.inherits !== undefined) return await visibleOf(metadata, run, task.inherits);
  const inputs: ArtifactInput[] = [];
  for (const step of inputSteps(graph, task.step)) {
    const page = await metadata.tasks({ run: run.sequence, step, newest: true, limit: MAX_TASKS });
    // Of a join inside of a foreach, only the tasks of its own item came in.
    const tasks = page.filter((each) => each.path === task.path || isBelow(each.path, task.path));
    const [first] = tasks;
    if (first === undefined) continue;
    if (tasks.length === 1) inputs.push(...(await visibleOf(metadata, run, first.sequence)));
    else
      for (const { name } of await metadata.visibleArtifacts(first.sequence))
        inputs.push({ name, from: `${runName(run)}/${step}`, tasks: tasks.length });
  }
  return inputs;
}

async function visibleOf(metadata: MetadataReader, run: RunRow, task: TaskSequence): Promise<readonly ArtifactInput[]> {
  const inputs: ArtifactInput[] = [];
  for (const { name, codec, digest } of await metadata.visibleArtifacts(task)) {
    const sequence = await metadata.artifactTask(task, name);
    const maker = sequence === undefined ? undefined : await metadata.task(sequence);
    inputs.push({ name, from: maker === undefined ? runName(run) : nameOf(run, maker), tasks: 1, codec, digest });
  }
  return inputs;
}

/** What can have been read before an artifact was set: by its task, and by tasks of steps before it. */
async function before(
  metadata: MetadataReader,
  run: RunRow,
  graph: Graph | undefined,
  task: TaskRow | undefined,
): Promise<FirstLinks> {
  // What a run was given was there before its first task; without a graph, nothing can be left out.
  if (task === undefined) return { keepsRead: () => false, keepsLink: ({ kind }) => kind === "start" };
  if (graph?.nodes[task.step] === undefined) return {};
  const steps = stepsBefore(graph, task.step);
  const own = nameWithin(task);
  const counts = (step: string, place: string): boolean => steps.has(step) || place === own;
  const reads = await metadata.reads(run.sequence);
  const tasks = new Map<TaskSequence, boolean>();
  for (const read of reads) {
    if (tasks.has(read.task)) continue;
    const reader = await metadata.task(read.task);
    tasks.set(read.task, reader !== undefined && counts(reader.step, nameWithin(reader)));
  }
  const kept = new Set(reads.filter((read) => tasks.get(read.task)).map(readKey));
  return {
    keepsRead: (read) => kept.has(readKey({ ...read, producer: read.from })),
    keepsLink: (link, hasReads) =>
      link.kind === "upstream"
        ? hasReads
        : link.kind === "call"
          ? counts(link.step, link.path === "" ? link.step : `${link.step}/${link.path}`)
          : true,
  };
}

function readKey(read: {
  readonly producer: string;
  readonly upstream?: string;
  readonly artifact: string;
  readonly digest: string;
}): string {
  return `${read.producer} ${read.upstream ?? ""} ${read.artifact} ${read.digest}`;
}

async function graphOf(metadata: MetadataReader, run: RunRow): Promise<Graph | undefined> {
  const pack = run.packageDigest === undefined ? undefined : await metadata.package(run.packageDigest);
  if (pack === undefined) return undefined;
  const { flows } = readManifest<{ readonly flows?: readonly { readonly definition?: FlowDefinition }[] }>(
    pack.manifest,
  );
  const definition = flows?.find((flow) => flow.definition?.name === run.flow.name)?.definition;
  try {
    return definition === undefined ? undefined : checkGraph(definition);
  } catch {
    return undefined; // Another version may have written it, with other rules.
  }
}

function inputSteps(graph: Graph | undefined, step: string): readonly string[] {
  return graph?.nodes[step]?.incoming.map((index) => graph.edges[index]!.from) ?? [];
}

/** Steps from which a way leads to a step; of a loop, the step itself too. */
function stepsBefore(graph: Graph, step: string): ReadonlySet<string> {
  const found = new Set<string>();
  const queue = [step];
  for (let current = queue.pop(); current !== undefined; current = queue.pop()) {
    for (const { from, to } of graph.edges) {
      if (to !== current || found.has(from)) continue;
      found.add(from);
      queue.push(from);
    }
  }
  return found;
}

/** Whether a task stands inside of a foreach of another one: `1.2` below `1`, everything below the top. */
function isBelow(path: TaskPath, outer: TaskPath): boolean {
  return outer === "" ? true : path.startsWith(`${outer}.`) || path.startsWith(`${outer}~`);
}

function nameWithin({ step, path }: Pick<TaskRow, "step" | "path">): string {
  return path === "" ? step : `${step}/${path}`;
}

function nameOf(run: RunRow, task: TaskRow): string {
  return `${runName(run)}/${nameWithin(task)}`;
}
