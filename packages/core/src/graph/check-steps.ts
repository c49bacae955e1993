/** What can be wrong with one step by itself, or with one of its transitions. */
import type { Problem } from "../errors/flow-error.ts";
import type { FlowDefinition, StepDefinition } from "../flow/definition.ts";
import { nearestName } from "../util/nearest-name.ts";
import { problemAt } from "./problem-at.ts";

/** Transitions to steps that do not exist. */
export function unknownTargets(flow: FlowDefinition): readonly Problem[] {
  const names = flow.steps.map((step) => step.name);
  const known = new Set(names);
  return flow.steps.flatMap((step) =>
    [...new Set(step.next)]
      .filter((target) => !known.has(target))
      .map((target) => {
        const near = nearestName(target, names);
        const hint = near === undefined ? `The steps are ${names.join(", ")}` : `Did you mean "${near}"?`;
        return problemAt(
          step,
          "FLOW_GRAPH_UNKNOWN_STEP",
          `Step "${step.name}" leads to "${target}", which is no step`,
          hint,
        );
      }),
  );
}

/** All checks that look at one step, in the order in which they are declared here. */
export function checkSteps(flow: FlowDefinition): readonly Problem[] {
  const foreachTargets = new Set(flow.steps.filter((step) => step.foreach !== undefined).flatMap((step) => step.next));
  return flow.steps.flatMap((step) => [
    ...repeatedTarget(step),
    ...foreachWithoutTarget(step),
    ...foreachWithSeveralTargets(step),
    ...chooseWithFewCases(step),
    ...unexpectedParameters(step, foreachTargets.has(step.name)),
  ]);
}

function repeatedTarget(step: StepDefinition): readonly Problem[] {
  const repeated = new Set(step.next.filter((target, index) => step.next.indexOf(target) !== index));
  return [...repeated].map((target) =>
    problemAt(
      step,
      "FLOW_GRAPH_REPEATED_TARGET",
      `Step "${step.name}" leads to "${target}" twice`,
      `Name "${target}" once; use foreach to run it several times`,
    ),
  );
}

function foreachWithoutTarget(step: StepDefinition): readonly Problem[] {
  if (step.foreach === undefined || step.next.length > 0) return [];
  return [
    problemAt(
      step,
      "FLOW_GRAPH_FOREACH_TARGET",
      `Step "${step.name}" fans out over "${step.foreach}" but leads nowhere`,
      'Give it a "next" that takes the item',
    ),
  ];
}

function foreachWithSeveralTargets(step: StepDefinition): readonly Problem[] {
  if (step.foreach === undefined || new Set(step.next).size < 2) return [];
  return [
    problemAt(
      step,
      "FLOW_GRAPH_FOREACH_TARGET",
      `Step "${step.name}" fans out over "${step.foreach}" to ${step.next.length} steps`,
      "Fan out to one step, which may then lead to several",
    ),
  ];
}

function chooseWithFewCases(step: StepDefinition): readonly Problem[] {
  const count = step.cases?.length ?? 0;
  if (step.kind !== "choose" || count >= 2) return [];
  return [
    problemAt(
      step,
      "FLOW_GRAPH_FEW_CASES",
      `Step "${step.name}" chooses among ${count === 0 ? "no cases" : "one case"}`,
      "Give it two cases or more, or make it a plain @step",
    ),
  ];
}

function unexpectedParameters(step: StepDefinition, isForeachTarget: boolean): readonly Problem[] {
  const allowed = step.isJoin ? 1 : isForeachTarget ? 2 : 0;
  if (step.arity <= allowed) return [];
  const code = "FLOW_GRAPH_UNEXPECTED_PARAMETER";
  if (step.isJoin)
    return [
      problemAt(
        step,
        code,
        `Join "${step.name}" has ${step.arity} parameters, but receives only its inputs`,
        "Take the inputs as the only parameter",
      ),
    ];
  if (isForeachTarget)
    return [
      problemAt(
        step,
        code,
        `Step "${step.name}" has ${step.arity} parameters, but receives only an item and its index`,
        "Keep two parameters at most",
      ),
    ];
  const hint =
    step.kind === "choose"
      ? "Remove the parameter, or write join: true if it joins"
      : "Remove the parameter, write @join if it joins, or lead to it by a foreach";
  return [problemAt(step, code, `Step "${step.name}" has a parameter, but nothing is passed to it`, hint)];
}
