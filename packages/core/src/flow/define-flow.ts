/**
 * A flow class as plain data, or all that is wrong with it at once.
 *
 * The checks of one theme stand in one file: `define-steps.ts`, `define-fields.ts` (with `define-params.ts`,
 * `define-upstreams.ts`, `define-files.ts`) and `define-names.ts`. What the steps
 * mean together (targets, joins, cycles) is not looked at here but in `graph/check-graph.ts`.
 */

import { isFlowError, type Problem, problemsError, type SourceLocation } from "../errors/flow-error.ts";
import { isProject } from "../ids/names.ts";
import { constructionError } from "./bind-flow.ts";
import { defineFields } from "./define-fields.ts";
import { nameProblems } from "./define-names.ts";
import { defineSteps } from "./define-steps.ts";
import type { FlowDefinition } from "./definition.ts";
import { isFlowClass } from "./flow.ts";
import { flowNameOf, flowNameProblem } from "./flow-name.ts";
import { type ProbedFlow, probeFlow } from "./probe-flow.ts";
import type { FlowClass } from "./public-types.ts";

export interface DefineFlowOptions {
  /** The project that the flow belongs to: the nearest package.json's name, or "local". */
  readonly project: string;
  /** Where the class is written. */
  readonly location?: SourceLocation;
  /** The project of another file, for producers that come from another package; without it all share `project`. */
  readonly projectOf?: (file: string) => string | undefined;
}

/** A flow class as far as it could be read, and all that is wrong with it. */
export interface ExaminedFlow {
  /** Whole when there are no problems; what is wrong is left out of it. */
  readonly definition: FlowDefinition;
  readonly problems: readonly Problem[];
  /** Whether the steps and what leads where could be read, so that their graph can be checked. */
  readonly isGraphKnown: boolean;
}

/**
 * Collects what a flow class says about itself.
 *
 * @throws FlowError with all problems at once: FLOW_DEFINITION_… with file, line and hint each
 */
export function defineFlow(flowClass: FlowClass, options: DefineFlowOptions): FlowDefinition {
  const { definition, problems } = examineFlow(flowClass, options);
  if (problems.length > 0) throw problemsError(`Cannot load flow "${definition.name}"`, problems);
  return definition;
}

/** Collects what a flow class says about itself, for a caller who has more to tell than what is wrong with it. */
export function examineFlow(flowClass: FlowClass, options: DefineFlowOptions): ExaminedFlow {
  const problems: Problem[] = [];
  const name = flowNameOf(flowClass);
  const at = options.location === undefined ? {} : { location: options.location };
  if (!isFlowClass(flowClass)) {
    problems.push({
      code: "FLOW_DEFINITION_NO_STEPS",
      message: `"${name}" does not extend Flow`,
      hint: "Extend Flow of @millrace/core",
      ...at,
    });
    const nothing = { steps: [], params: [], upstreams: [], artifacts: [], configs: [], files: [], constants: [] };
    const definition = { project: options.project, name, formerly: [], ...at, ...nothing };
    return { definition, problems, isGraphKnown: false };
  }
  const naming = flowNameProblem(flowClass);
  if (naming !== undefined) problems.push({ ...naming, ...at });
  if (!isProject(options.project)) {
    problems.push({
      code: "FLOW_DEFINITION_BAD_NAME",
      message: `${JSON.stringify(options.project.slice(0, 300))}, the "name" of package.json, cannot name a project`,
      hint: 'Give package.json a name as npm takes it, such as "shop" or "@acme/shop"',
      ...at,
    });
  }

  const { steps, isGraphKnown } = defineSteps(flowClass, problems);
  if (steps.length === 0 && problems.every((problem) => problem.code !== "FLOW_DEFINITION_BAD_DECORATOR")) {
    problems.push({
      code: "FLOW_DEFINITION_NO_STEPS",
      message: `"${name}" has no steps`,
      hint: "Put @step() on the methods that are steps",
      ...at,
    });
  }
  const probed = probe(flowClass, problems, at);
  const fields = defineFields(flowClass, probed, options, problems);
  problems.push(...nameProblems(flowClass, steps, probed, fields));
  const definition = {
    project: options.project,
    name,
    formerly: formerlyOf(flowClass),
    ...at,
    steps,
    ...fields,
  };
  return { definition, problems, isGraphKnown: isGraphKnown && steps.length > 0 };
}

function probe(
  flowClass: FlowClass,
  problems: Problem[],
  at: { readonly location?: SourceLocation },
): ProbedFlow | undefined {
  try {
    return probeFlow(flowClass);
  } catch (thrown) {
    if (isFlowError(thrown)) {
      problems.push(
        ...(thrown.problems.length > 0
          ? thrown.problems
          : [
              {
                code: thrown.code,
                message: thrown.message,
                ...(thrown.hint !== undefined && { hint: thrown.hint }),
                ...at,
              },
            ]),
      );
    } else {
      const { code, message, hint } = constructionError(flowClass, thrown);
      problems.push({ code, message, ...(hint !== undefined && { hint }), ...at });
    }
    return undefined;
  }
}

function formerlyOf(flowClass: FlowClass): readonly string[] {
  const own = Object.hasOwn(flowClass, "formerly")
    ? (flowClass as { readonly formerly?: unknown }).formerly
    : undefined;
  return Array.isArray(own) ? own.map(String) : [];
}
