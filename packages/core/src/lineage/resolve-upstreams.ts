/**
 * Decides, once and before the first step, from which runs a run reads.
 *
 * Purpose: the one rule behind `upstream()`: a run named by number or id; else the newest successful run of the declared flow
 * that holds all tags asked for; else, with `sameAs`, the run that another upstream's producer has itself read from.
 * Invariants: only successful runs; "newest" is the store's creation sequence; nothing is guessed between projects; all
 * problems are found before any is shown; what was considered is recorded with what was chosen. Not here: pinning (the
 * runner writes the edges with the run) and reading (artifact and client rooms).
 */
import { type Problem, problemsError } from "../errors/flow-error.ts";
import type { SelectorRecord } from "../events/run-record.ts";
import type { UpstreamDefinition } from "../flow/definition.ts";
import type { MetadataReader, NewUpstream, RunRow } from "../metadata/metadata-store.ts";
import { formatDuration, parseDurationMs } from "../util/duration.ts";
import { nearestName } from "../util/nearest-name.ts";
import { askedFor, followedUpstream, isAskedByHand, type UpstreamRequest } from "./asked-upstream.ts";
import { changedRecords } from "./changed-records.ts";
import { type FoundRun, findByTags, findRunByText, severalRunsProblem } from "./find-run.ts";
import { followUpstream } from "./follow-upstream.ts";
import { describeStatus } from "./near-misses.ts";
import { runName } from "./run-name.ts";

export type { UpstreamRequest };

export interface UpstreamResolution {
  readonly metadata: MetadataReader;
  readonly definitions: readonly UpstreamDefinition[];
  /** By name of the upstream. */
  readonly requests: Readonly<Record<string, UpstreamRequest>>;
  /** Tags of upstreams whose tags a function decides, by name of the upstream. */
  readonly lateTags: Readonly<Record<string, readonly string[]>>;
  readonly now: Date;
  /** Whether several runs with the tags are an error instead of a warning. */
  readonly strict: boolean;
  /** Project of the flow that reads: preferred where an upstream was declared by name alone. */
  readonly project: string;
}

/** An upstream as it is recorded, with the run that it leads to. */
export interface ResolvedUpstream extends NewUpstream {
  /** Absent for an optional upstream that found nothing. */
  readonly run?: RunRow;
}

/**
 * Resolves all upstreams of a flow.
 *
 * @throws FlowError with a FLOW_LINEAGE_ code; every upstream that cannot be resolved is among its problems
 */
export async function resolveUpstreams(
  input: UpstreamResolution,
): Promise<{ readonly upstreams: readonly ResolvedUpstream[]; readonly warnings: readonly Problem[] }> {
  const problems: Problem[] = unknownRequests(input);
  const warnings: Problem[] = [];
  const resolved = new Map<string, ResolvedUpstream>();
  const failed = new Set<string>();

  // An upstream with `sameAs` needs the one that it follows: definitions are taken in rounds until nothing is left to take.
  let waiting = input.definitions;
  while (waiting.length > 0) {
    const ready = waiting.filter((definition) => {
      const first = followedUpstream(definition, input.requests[definition.name]);
      return first === undefined || resolved.has(first) || failed.has(first);
    });
    if (ready.length === 0) {
      for (const definition of waiting) {
        problems.push(
          about(definition, {
            code: "FLOW_LINEAGE_NO_EDGE",
            message: `it is the same as "${definition.sameAs?.join(".")}", which this flow does not have`,
          }),
        );
      }
      break;
    }
    for (const definition of ready) {
      const answer = await resolveOne(input, definition, resolved, failed);
      warnings.push(...answer.warnings.map((problem) => about(definition, problem)));
      problems.push(...answer.problems.map((problem) => about(definition, problem)));
      if (answer.upstream === undefined) failed.add(definition.name);
      else resolved.set(definition.name, answer.upstream);
    }
    waiting = waiting.filter((definition) => !ready.includes(definition));
  }

  if (problems.length > 0) throw problemsError("Cannot resolve the upstreams", problems);
  return { upstreams: input.definitions.map((definition) => resolved.get(definition.name)!), warnings };
}

interface Answer {
  /** Absent when it could not be resolved. */
  readonly upstream?: ResolvedUpstream;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

async function resolveOne(
  input: UpstreamResolution,
  definition: UpstreamDefinition,
  resolved: ReadonlyMap<string, ResolvedUpstream>,
  failed: ReadonlySet<string>,
): Promise<Answer> {
  const asked = askedFor(definition, input.requests[definition.name], input.lateTags[definition.name]);
  if (asked.kind === "problem") return { problems: [asked.problem], warnings: [] };

  let selector: SelectorRecord;
  let found: FoundRun;
  switch (asked.kind) {
    case "run":
      found = await findRunByText(input.metadata, asked.run, { flow: definition.flow, ownProject: input.project });
      // `--model-run Train@prod:v1` asks for tags in other words, and is recorded as such: it may lead elsewhere tomorrow.
      selector = selectorOfText(asked.run, found);
      break;
    case "tags":
      selector = asked.tags.length === 0 ? { kind: "newest" } : { kind: "tags", tags: asked.tags };
      found = await findByTags(input.metadata, definition.flow, asked.tags, input.project);
      break;
    case "sameAs": {
      const [first = "", ...rest] = asked.path;
      if (failed.has(first)) return { problems: [], warnings: [] }; // Its own problem is reported: this one follows from it.
      selector = { kind: "sameAs", path: asked.path };
      found = await followUpstream(input.metadata, first, resolved.get(first)?.run, rest, definition.flow);
      break;
    }
  }
  return await settle(input, definition, selector, found);
}

/** Turns what was found into an edge, or into what is wrong with it. */
async function settle(
  input: UpstreamResolution,
  definition: UpstreamDefinition,
  selector: SelectorRecord,
  found: FoundRun,
): Promise<Answer> {
  const edge = { name: definition.name, flow: identityOf(definition), selector, resolvedAt: input.now };
  const nothing: ResolvedUpstream = { ...edge, candidateCount: 0, candidates: [] };
  const isByHand = isAskedByHand(input.requests[definition.name]);
  if (found.kind === "problem") {
    const isAbsence =
      found.problem.code === "FLOW_LINEAGE_NO_RUN" ||
      (found.problem.code === "FLOW_LINEAGE_NO_EDGE" && selector.kind === "sameAs");
    // What a user asks for by hand must be there, also for an optional upstream: a typing error would pass unseen.
    if (definition.optional && isAbsence && !isByHand) return { upstream: nothing, problems: [], warnings: [] };
    return { problems: [found.problem], warnings: [] };
  }
  const { run } = found;
  if (run.status !== "succeeded") {
    const hint =
      run.status === "running" || run.status === "queued"
        ? "Wait until it has succeeded"
        : `Name a run of ${run.flow.name} that succeeded`;
    return {
      problems: [
        { code: "FLOW_LINEAGE_NOT_SUCCEEDED", message: `${runName(run)} ${describeStatus(run.status)}`, hint },
      ],
      warnings: [],
    };
  }
  const old = tooOld(definition, run, input.now);
  if (old !== undefined) {
    if (definition.optional && !isByHand) return { upstream: nothing, problems: [], warnings: [old] };
    return { problems: [old], warnings: [] };
  }
  const changed = await changedRecords(input.metadata, run, run.endTask);
  if (changed.length > 0) return { problems: changed, warnings: [] };
  const several = severalRunsProblem(found);
  if (several !== undefined && input.strict) return { problems: [several], warnings: [] };
  return {
    upstream: {
      ...edge,
      flow: run.flow,
      producer: run.id,
      candidateCount: found.count,
      candidates: found.candidates.map(runName),
      run,
    },
    problems: [],
    warnings: several === undefined ? [] : [several],
  };
}

function selectorOfText(text: string, found: FoundRun): SelectorRecord {
  if (found.kind !== "found" || found.tags === undefined) return { kind: "run", run: text };
  return found.tags.length === 0 ? { kind: "newest" } : { kind: "tags", tags: found.tags };
}

/** A run is as old as its beginning: what it read may have changed from then on. */
function tooOld(definition: UpstreamDefinition, run: RunRow, now: Date): Problem | undefined {
  const limitMs = definition.maxAge === undefined ? undefined : parseDurationMs(definition.maxAge);
  const ageMs = now.getTime() - run.createdAt.getTime();
  if (limitMs === undefined || ageMs <= limitMs) return undefined;
  return {
    code: "FLOW_LINEAGE_TOO_OLD",
    message: `${runName(run)} is ${formatDuration(ageMs)} old, the limit is ${definition.maxAge}`,
    hint: `Run ${run.flow.name} again, or allow a greater maxAge`,
  };
}

function unknownRequests(input: UpstreamResolution): Problem[] {
  const names = input.definitions.map((definition) => definition.name);
  return Object.keys(input.requests)
    .filter((name) => !names.includes(name))
    .map((name) => {
      const near = nearestName(name, names);
      const known = names.length === 0 ? "The flow has no upstreams" : `Use one of ${names.join(", ")}`;
      return {
        code: "FLOW_LINEAGE_UNKNOWN_UPSTREAM",
        message: `"${name}" is no upstream of this flow`,
        hint: near === undefined ? known : `Did you mean "${near}"?`,
      };
    });
}

function identityOf(definition: UpstreamDefinition): NewUpstream["flow"] {
  const { project, name } = definition.flow;
  return project === undefined ? { name } : { project, name };
}

function about(definition: UpstreamDefinition, problem: Problem): Problem {
  return { ...problem, message: `upstream "${definition.name}": ${problem.message}` };
}
