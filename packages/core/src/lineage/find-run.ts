/**
 * A text that names runs -> the runs it means. `Train/17` and a run id mean that run; `Train@prod:v1` and `Train` mean the
 * newest successful run that fits, by the rule of match-runs.ts. Upstream flags, the client and the commands read texts
 * here, so that one text means one run everywhere. A problem is returned, not thrown: callers show several at once.
 */
import { isFlowError, type Problem } from "../errors/flow-error.ts";
import type { FlowIdentity } from "../flow/definition.ts";
import { parseSelector, type Selector } from "../ids/selector.ts";
import type { MetadataReader, NamedRun, RunRow } from "../metadata/metadata-store.ts";
import { normalTags } from "./check-tags.ts";
import { deletedProblem } from "./deleted-run.ts";
import { type FlowName, flowText, identifyFlow, isRunOf } from "./identify-flow.ts";
import { MAX_COUNTED, matchRuns } from "./match-runs.ts";
import { describeNearMisses, quoteAll } from "./near-misses.ts";
import { fullRunName, runName } from "./run-name.ts";

export type FoundRun =
  /** `tags` is absent when the run was named by number or id. */
  | {
      readonly kind: "found";
      readonly run: RunRow;
      readonly tags?: readonly string[];
      readonly candidates: readonly NamedRun[];
      readonly count: number;
    }
  | { readonly kind: "problem"; readonly problem: Problem };

export interface FindRunOptions {
  /** The flow that is meant when the text has none (`17`), and that the run must be of. */
  readonly flow?: FlowName;
  /** Preferred where a name fits several projects. */
  readonly ownProject?: string;
}

/** Finds the run that a text names: `Train/17`, `17` (with `options.flow`), a run id, `Train@prod:v1`, `Train`. */
export async function findRunByText(
  metadata: MetadataReader,
  text: string,
  options: FindRunOptions = {},
): Promise<FoundRun> {
  if (options.flow !== undefined && /^\d+$/.test(text))
    return await findByNumber(metadata, options.flow, Number(text), options);
  let selector: Selector;
  try {
    selector = parseSelector(text);
  } catch (error) {
    if (!isFlowError(error)) throw error;
    const hint = error.hint === undefined ? {} : { hint: error.hint };
    return { kind: "problem", problem: { code: error.code, message: error.message, ...hint } };
  }
  return await findRunBySelector(metadata, selector, options);
}

/** Finds the run of a selector that is parsed already; its step, path and artifact are left to the caller. */
export async function findRunBySelector(
  metadata: MetadataReader,
  selector: Selector,
  options: FindRunOptions = {},
): Promise<FoundRun> {
  if (selector.runId !== undefined) {
    const run = await metadata.runById(selector.runId);
    if (run === undefined) {
      const deleted = await metadata.deletedRun(selector.runId);
      if (deleted !== undefined) return { kind: "problem", problem: deletedProblem(deleted) };
      return problem(
        "FLOW_LINEAGE_NO_RUN",
        `this store has no run ${selector.runId}`,
        "Look for it in another store with --store",
      );
    }
    return await single(metadata, run, options.flow);
  }
  const named = selector.flow;
  if (named === undefined) return problem("FLOW_CLIENT_BAD_SELECTOR", `"${selector.text}" names no flow`);
  const expected = options.flow;
  if (
    expected !== undefined &&
    (expected.name !== named ||
      (selector.project !== undefined && expected.project !== undefined && expected.project !== selector.project))
  ) {
    // It may have been called so before: its runs keep the names under which they ran.
    const former = { project: selector.project ?? expected.project, name: named };
    const found =
      selector.number === undefined ? undefined : await findByNumber(metadata, former, selector.number, options);
    if (found?.kind === "found") return found;
    return problem(
      "FLOW_LINEAGE_WRONG_FLOW",
      `"${selector.text}" is a run of ${named}, not of ${expected.name}`,
      `Name a run of ${expected.name}`,
    );
  }
  const flow: FlowName = { project: selector.project ?? expected?.project, name: named };
  if (selector.number !== undefined) return await findByNumber(metadata, flow, selector.number, options);
  return await findByTags(metadata, flow, selector.tags ?? [], options.ownProject);
}

/** The newest successful run of a flow that holds all the tags. */
export async function findByTags(
  metadata: MetadataReader,
  name: FlowName,
  tags: readonly string[],
  ownProject?: string,
): Promise<FoundRun> {
  const wanted = normalTags(tags);
  const identified = await identifyFlow(metadata, name, ownProject);
  if (identified.kind === "ambiguous") return { kind: "problem", problem: identified.problem };
  if (identified.kind === "unknown")
    return missing(name.name, wanted, await describeNearMisses(metadata, { name: name.name }, wanted));
  const matched = await matchRuns(metadata, identified.flow, wanted);
  if (matched.newest === undefined)
    return missing(name.name, wanted, await describeNearMisses(metadata, identified.flow, wanted));
  return { kind: "found", run: matched.newest, tags: wanted, candidates: matched.candidates, count: matched.count };
}

/** What is said when tags were asked for and several runs carry them; undefined when there is nothing to say. */
export function severalRunsProblem(found: {
  readonly run: RunRow;
  readonly tags?: readonly string[];
  readonly candidates: readonly NamedRun[];
  readonly count: number;
}): Problem | undefined {
  const tags = found.tags ?? [];
  if (tags.length === 0 || found.count < 2) return undefined; // "the newest" is what was asked for when no tag was
  const others = found.candidates.filter((run) => run.sequence !== found.run.sequence).map(runName);
  const more = found.count - 1 - others.length;
  const orMore = found.count === MAX_COUNTED ? " or more" : "";
  return {
    code: "FLOW_LINEAGE_SEVERAL_RUNS",
    message: `${found.count}${orMore} successful runs carry ${quoteAll(tags)}: ${runName(found.run)} is the newest, the others are ${others.join(", ")}${more > 0 ? ` and ${more} ${orMore === "" ? "more" : "or more"}` : ""}`,
    hint: `Take the tag from the others with flow tag remove, or name the run: ${runName(found.run)}`,
  };
}

async function findByNumber(
  metadata: MetadataReader,
  flow: FlowName,
  number: number,
  options: FindRunOptions,
): Promise<FoundRun> {
  const named = flow.project === undefined ? { name: flow.name } : { project: flow.project, name: flow.name };
  const rows = await metadata.runByNumber(named, number);
  const run = rows.length === 1 ? rows[0] : rows.find((row) => row.flow.project === options.ownProject);
  if (run !== undefined) return await single(metadata, run, options.flow);
  if (rows.length > 1) {
    const names = rows.map(fullRunName).sort();
    return problem(
      "FLOW_LINEAGE_AMBIGUOUS_FLOW",
      `"${flow.name}/${number}" is a run of several projects: ${names.join(", ")}`,
      `Write the project in front, such as ${names[0]}`,
    );
  }
  const [deleted] = await metadata.deletedRunsByNumber(named, number);
  if (deleted !== undefined) return { kind: "problem", problem: deletedProblem(deleted) };
  const identity: FlowIdentity | { readonly name: string } = named;
  const [newest] = await metadata.runs({ flow: identity, limit: 1 });
  const known =
    newest === undefined
      ? (await describeNearMisses(metadata, identity, [])).join("; ")
      : `the newest is ${runName(newest)}`;
  return problem(
    "FLOW_LINEAGE_NO_RUN",
    `there is no run ${flow.name}/${number}`,
    known === "" ? undefined : capitalise(known),
  );
}

/** A run that was named outright, if it is of the flow that is expected. */
async function single(metadata: MetadataReader, run: RunRow, expected: FlowName | undefined): Promise<FoundRun> {
  if (expected !== undefined && !(await isRunOf(metadata, run, expected))) {
    const wanted = flowText(expected);
    return problem(
      "FLOW_LINEAGE_WRONG_FLOW",
      `${fullRunName(run)} is not a run of ${wanted}`,
      `Name a run of ${wanted}`,
    );
  }
  return { kind: "found", run, candidates: [run], count: 1 };
}

function missing(flow: string, tags: readonly string[], nearMisses: readonly string[]): FoundRun {
  const what =
    tags.length === 0
      ? `there is no successful run of ${flow}`
      : `no successful run of ${flow} carries ${quoteAll(tags)}`;
  return problem("FLOW_LINEAGE_NO_RUN", what, nearMisses.length === 0 ? undefined : capitalise(nearMisses.join("; ")));
}

function problem(code: Problem["code"], message: string, hint?: string): FoundRun {
  return { kind: "problem", problem: { code, message, ...(hint === undefined ? {} : { hint }) } };
}

function capitalise(text: string): string {
  // A name of a run keeps its case: only sentences that begin with a plain word are raised.
  return /^[a-z]+ /.test(text) ? text[0]!.toUpperCase() + text.slice(1) : text;
}
