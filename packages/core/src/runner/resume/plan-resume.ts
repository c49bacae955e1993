/**
 * Decides how a run that stopped goes on: as itself, or as a fork of it; which of its tasks are kept, which steps run again
 * and why. Facts in, plan or refusal out: no store, no clock, no code.
 *
 * A run goes on as itself when nothing is different: package, parameters, upstream runs. Anything else makes a fork, which
 * keeps what it can: a task is kept when its step stands where it stood, nobody asked to run it again, and everything
 * before it is kept. So what runs again is closed under "comes after", also around loops, and a kept task never saw
 * anything that the fork does not have.
 */
import type { Digest } from "../../artifact/artifact.ts";
import { FlowError, type Problem, problemsError } from "../../errors/flow-error.ts";
import type { RunStatus } from "../../events/run-record.ts";
import type { FlowDefinition } from "../../flow/definition.ts";
import type { Graph } from "../../graph/graph.ts";
import type { RunValueKind } from "../../metadata/metadata-store.ts";
import type { FinishedTaskColumns } from "../../metadata/replay.ts";
import { assertNever } from "../../util/assert-never.ts";
import { nearestName } from "../../util/nearest-name.ts";
import { type ChangedStep, compareSteps, isSameBefore } from "./compare-steps.ts";
import { type KeptReads, readsOfKept, stepBefore } from "./kept-reads.ts";

/** A parameter, config, file or constant, by its identity alone. */
export interface ValueFact {
  readonly kind: RunValueKind;
  readonly codec: string;
  readonly digest: Digest;
}

/** The run that stopped. */
export interface ResumeOrigin {
  /** `Train/17` */
  readonly name: string;
  readonly status: RunStatus;
  /** What executes the run, or did so last. */
  readonly runner?: { readonly host: string; readonly pid: number };
  readonly packageDigest?: Digest;
  /** As its own package has it. */
  readonly flow: FlowDefinition;
  readonly finished: FinishedTaskColumns;
  readonly values: ReadonlyMap<string, ValueFact>;
  /** Run that each upstream stands for; undefined for an optional one that found none. */
  readonly upstreams: ReadonlyMap<string, string | undefined>;
}

/** What it would go on with. */
export interface ResumeTarget {
  readonly packageDigest: Digest;
  readonly graph: Graph;
  readonly values: ReadonlyMap<string, ValueFact>;
  readonly upstreams: ReadonlyMap<string, string | undefined>;
}

export interface ResumeRequest {
  /** This step and all after it run again. */
  readonly from?: string;
  /** Steps whose code changed run again, and all after them. */
  readonly changed?: boolean;
}

export interface KeptStep {
  readonly step: string;
  readonly tasks: number;
  /** How many tasks of it the run is known to need: those that were begun, and all items of a foreach that has finished. */
  readonly of: number;
}

export interface RerunStep {
  readonly step: string;
  /** Finished tasks of it that are not kept. */
  readonly tasks: number;
  readonly reason: RerunReason;
}

export type RerunReason =
  | { readonly kind: "asked" }
  | { readonly kind: "code" }
  | { readonly kind: "new" }
  /** It stands elsewhere in the graph, or what it iterates over or decides by is another field. */
  | { readonly kind: "graph" }
  | { readonly kind: "after"; readonly step: string };

export type ResumePlan =
  | { readonly kind: "continue"; readonly kept: readonly KeptStep[] }
  | {
      readonly kind: "fork";
      readonly kept: readonly KeptStep[];
      readonly rerun: readonly RerunStep[];
      /** Steps of which nothing is taken over: those that run again, and those of the old run that are gone. */
      readonly exceptSteps: readonly string[];
      readonly changedSteps: readonly ChangedStep[];
      readonly changedParameters: readonly string[];
      readonly warnings: readonly Problem[];
    };

/**
 * @throws FlowError FLOW_RESUME_RUNNING, FLOW_RESUME_UNKNOWN_STEP, FLOW_RESUME_VALUE_READ (kept tasks read what changed),
 *   FLOW_RESUME_NOTHING_TO_DO
 */
export function planResume(origin: ResumeOrigin, target: ResumeTarget, request: ResumeRequest = {}): ResumePlan {
  refuseRunning(origin);
  refuseUnknownStep(origin, target.graph, request.from);
  const changedParameters = changedValues(origin.values, target.values, isGiven);
  const changedUpstreams = changedPins(origin.upstreams, target.upstreams);
  const counts = countSteps(origin.finished);
  const isSame =
    origin.packageDigest === target.packageDigest && changedParameters.length === 0 && changedUpstreams.length === 0;
  if (isSame && request.from === undefined && origin.status !== "succeeded")
    return { kind: "continue", kept: keptSteps(target.graph, origin.finished, counts, new Map()) };

  const changedSteps =
    origin.packageDigest === target.packageDigest ? [] : compareSteps(origin.flow, target.graph.flow);
  const reasons = rerunReasons(origin, target.graph, request, changedSteps);
  const kept = keptSteps(target.graph, origin.finished, counts, reasons);
  const reads = readsOfKept(origin.finished, new Set(kept.map(({ step }) => step)));
  refuseReadValues(origin, target, { reads, changedParameters, changedUpstreams });
  const rerun = target.graph.order.flatMap((step) => {
    const reason = reasons.get(step);
    return reason === undefined ? [] : [{ step, tasks: counts.get(step) ?? 0, reason }];
  });
  refuseNothingToDo(origin, { rerun, changedSteps, changedParameters, changedUpstreams });
  return {
    kind: "fork",
    kept,
    rerun,
    exceptSteps: [...new Set([...reasons.keys(), ...counts.keys()])].filter(
      (step) => !kept.some((one) => one.step === step),
    ),
    changedSteps,
    changedParameters,
    warnings: keptWarnings(origin, target, { kept, reads, changedSteps }),
  };
}

/** What runs again, by step, each with the first reason that applies. */
function rerunReasons(
  origin: ResumeOrigin,
  graph: Graph,
  { from, changed }: ResumeRequest,
  changedSteps: readonly ChangedStep[],
): ReadonlyMap<string, RerunReason> {
  const reasons = new Map<string, RerunReason>();
  if (from !== undefined) reasons.set(from, { kind: "asked" });
  const isSame = isSameBefore(origin.flow, graph.flow);
  const old = new Set(origin.flow.steps.map(({ name }) => name));
  for (const step of graph.order)
    if (!isSame(step) && !reasons.has(step)) reasons.set(step, { kind: old.has(step) ? "graph" : "new" });
  if (changed === true)
    for (const { step, kind } of changedSteps)
      if (kind === "changed" && !reasons.has(step)) reasons.set(step, { kind: "code" });
  const open = graph.order.filter((step) => reasons.has(step));
  for (let step = open.shift(); step !== undefined; step = open.shift()) {
    for (const index of graph.nodes[step]!.outgoing) {
      const { to } = graph.edges[index]!;
      if (reasons.has(to)) continue;
      reasons.set(to, { kind: "after", step });
      open.push(to);
    }
  }
  return reasons;
}

function keptSteps(
  graph: Graph,
  finished: FinishedTaskColumns,
  counts: ReadonlyMap<string, number>,
  reasons: ReadonlyMap<string, RerunReason>,
): readonly KeptStep[] {
  const needed = neededTasks(graph, finished, counts);
  return graph.order.flatMap((step) => {
    const tasks = counts.get(step);
    return tasks === undefined || reasons.has(step) ? [] : [{ step, tasks, of: needed(step) }];
  });
}

/** Tasks of a step that are known of, finished or not. */
function neededTasks(
  graph: Graph,
  { steps, fanOuts, unfinished }: FinishedTaskColumns,
  counts: ReadonlyMap<string, number>,
): (step: string) => number {
  const begun = new Map(counts);
  for (const { step } of unfinished) begun.set(step, (begun.get(step) ?? 0) + 1);
  const items = new Map<string, number>();
  for (const [index, step] of steps.entries()) {
    const fanOut = fanOuts[index];
    if (fanOut === undefined) continue;
    for (const edge of graph.nodes[step]?.outgoing ?? []) {
      const { to } = graph.edges[edge]!;
      items.set(to, (items.get(to) ?? 0) + fanOut);
    }
  }
  return (step) => Math.max(begun.get(step) ?? 0, items.get(step) ?? 0);
}

function countSteps({ steps }: FinishedTaskColumns): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const step of steps) counts.set(step, (counts.get(step) ?? 0) + 1);
  return counts;
}

/** Names of values that are there before and after, and not the same. */
function changedValues(
  before: ReadonlyMap<string, ValueFact>,
  after: ReadonlyMap<string, ValueFact>,
  isMeant: (kind: RunValueKind) => boolean,
): readonly string[] {
  return [...before].flatMap(([name, { kind, codec, digest }]) => {
    const now = after.get(name);
    const isChanged = now !== undefined && (now.codec !== codec || now.digest !== digest);
    return isChanged && isMeant(kind) ? [name] : [];
  });
}

/** Constants are code: what their change means is told with the steps that mention them. */
function isGiven(kind: RunValueKind): boolean {
  switch (kind) {
    case "parameter":
    case "config":
    case "file":
      return true;
    case "constant":
      return false;
    default:
      return assertNever(kind);
  }
}

function changedPins(
  before: ReadonlyMap<string, string | undefined>,
  after: ReadonlyMap<string, string | undefined>,
): readonly string[] {
  return [...before].flatMap(([name, run]) => (after.has(name) && after.get(name) !== run ? [name] : []));
}

function refuseRunning({ name, status, runner }: ResumeOrigin): void {
  if (status !== "running" && status !== "queued") return;
  const where = runner === undefined ? "" : ` in process ${runner.pid} on "${runner.host}"`;
  throw new FlowError("FLOW_RESUME_RUNNING", {
    message: `Cannot resume ${name}: it is ${status}${where}`,
    hint: `Follow it with flow logs ${name} --follow, or wait until it has ended`,
    context: { run: name, status, ...runner },
  });
}

function refuseUnknownStep({ name }: ResumeOrigin, { order, flow }: Graph, from: string | undefined): void {
  if (from === undefined || order.includes(from)) return;
  const near = nearestName(from, order);
  throw new FlowError("FLOW_RESUME_UNKNOWN_STEP", {
    message: `Cannot resume ${name} from "${from}": ${flow.name} has no such step`,
    hint: near === undefined ? `Use one of ${order.join(", ")}` : `Did you mean "${near}"?`,
    context: { run: name, step: from },
  });
}

interface Changes {
  readonly kept: readonly KeptStep[];
  readonly reads: KeptReads;
  readonly changedParameters: readonly string[];
  readonly changedUpstreams: readonly string[];
}

/** A kept task must not have seen what the fork does not have. */
function refuseReadValues(origin: ResumeOrigin, target: ResumeTarget, changes: Omit<Changes, "kept">): void {
  const { reads, changedParameters, changedUpstreams } = changes;
  const problemOf = (name: string, flag: string): readonly Problem[] => {
    const readers = reads.readersOf(name);
    if (readers.length === 0) return [];
    const steps = target.graph.order.filter((step) => readers.includes(step));
    const read = reads.isSure(name) ? "read it" : "may have read it";
    return [
      {
        code: "FLOW_RESUME_VALUE_READ",
        message: `"${name}" is not what it was, and finished tasks of ${quoted(steps)} ${read}`,
        hint: `Run them again with --from ${stepBefore(target.graph, steps)}, or leave out ${flag}`,
      },
    ];
  };
  const problems = [
    ...changedParameters.flatMap((name) => problemOf(name, `--${name}`)),
    ...changedUpstreams.flatMap((name) => problemOf(name, `--${name}-tag and --${name}-run`)),
  ];
  if (problems.length > 0) throw problemsError(`Cannot keep what ${origin.name} has finished`, problems);
}

function refuseNothingToDo(
  { name, status }: ResumeOrigin,
  {
    rerun,
    changedSteps,
  }: Pick<Changes, "changedParameters" | "changedUpstreams"> & {
    readonly rerun: readonly RerunStep[];
    readonly changedSteps: readonly ChangedStep[];
  },
): void {
  if (status !== "succeeded" || rerun.length > 0) return;
  const changed = changedSteps.filter(({ kind }) => kind === "changed").map(({ step }) => step);
  const hint =
    changed.length === 0
      ? "Name the step to run again from with --from STEP"
      : `Run the changed steps again with --changed (${changed.join(", ")}), or from a step with --from STEP`;
  throw new FlowError("FLOW_RESUME_NOTHING_TO_DO", {
    message: `Cannot resume ${name}: it succeeded, and nothing is left to run`,
    hint,
    context: { run: name, changedSteps: changed },
  });
}

/** What a kept task saw that is not there any more: code, and constants of the class. */
function keptWarnings(
  origin: ResumeOrigin,
  target: ResumeTarget,
  { kept, reads, changedSteps }: Pick<Changes, "kept" | "reads"> & { readonly changedSteps: readonly ChangedStep[] },
): readonly Problem[] {
  const isKept = new Set(kept.map(({ step }) => step));
  const stale = changedSteps.filter(({ step, kind }) => kind === "changed" && isKept.has(step)).map(({ step }) => step);
  const constants = changedValues(origin.values, target.values, (kind) => !isGiven(kind))
    .map((name) => ({ name, readers: reads.isSure(name) ? reads.readersOf(name) : [] }))
    .filter(({ readers }) => readers.some((step) => !stale.includes(step)));
  return [
    ...(stale.length === 0
      ? []
      : [
          {
            code: "FLOW_RESUME_CODE_CHANGED" as const,
            message: `The code of ${quoted(stale)} changed; finished tasks are kept as the old code made them`,
            hint: "Run them again with --changed",
          },
        ]),
    ...constants.map(({ name, readers }) => ({
      code: "FLOW_RESUME_CODE_CHANGED" as const,
      message: `The constant "${name}" has another value than finished tasks of ${quoted(readers)} read`,
      hint: `Run them again with --from ${stepBefore(target.graph, readers)}`,
    })),
  ];
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(", ");
}
