import { FlowError, type Problem } from "../errors/flow-error.ts";
import { parseSelector, type Selector } from "../ids/selector.ts";
import { type FindRunOptions, findRunBySelector, severalRunsProblem } from "../lineage/find-run.ts";
import { identifyFlow } from "../lineage/identify-flow.ts";
import type { MetadataReader, RunRow } from "../metadata/metadata-store.ts";

export interface SelectedRun {
  readonly run: RunRow;
  /** With the step, path and artifact that the text names besides the run. */
  readonly selector: Selector;
  /** Such as: several runs carry the tag. */
  readonly warnings: readonly Problem[];
}

export interface SelectOptions extends Pick<FindRunOptions, "ownProject"> {
  /**
   * Whether a flow's bare name (`Train`) means its newest successful run; by default it means the newest of any state,
   * which is the one that a user looks at after a failure. Tags always mean successful runs.
   */
  readonly successfulOnly?: boolean;
}

/**
 * The run that a selector means: `Train`, `Train/17`, `Train@prod:v1`, a run id, each perhaps with step, task and artifact.
 *
 * @throws FlowError FLOW_CLIENT_BAD_SELECTOR, FLOW_LINEAGE_NO_RUN (near misses in the hint), FLOW_LINEAGE_AMBIGUOUS_FLOW
 */
export async function findRun(
  metadata: MetadataReader,
  text: string,
  options: SelectOptions = {},
): Promise<SelectedRun> {
  const selector = parseSelector(text);
  if (
    options.successfulOnly !== true &&
    selector.flow !== undefined &&
    selector.number === undefined &&
    selector.tags === undefined
  ) {
    const identified = await identifyFlow(
      metadata,
      { project: selector.project, name: selector.flow },
      options.ownProject,
    );
    const [newest] = identified.kind === "known" ? await metadata.runs({ flow: identified.flow, limit: 1 }) : [];
    if (newest !== undefined) return { run: newest, selector, warnings: [] };
  }
  const found = await findRunBySelector(
    metadata,
    selector,
    options.ownProject === undefined ? {} : { ownProject: options.ownProject },
  );
  if (found.kind === "problem") throw selectorError(text, found.problem);
  const several = severalRunsProblem(found);
  return { run: found.run, selector, warnings: several === undefined ? [] : [several] };
}

/** A problem with a selector as an error of its own. */
export function selectorError(text: string, problem: Problem): FlowError {
  const { code, message, hint } = problem;
  return new FlowError(code, {
    message: `Cannot find "${text}": ${message}`,
    context: { selector: text },
    ...(hint === undefined ? {} : { hint }),
  });
}
