import type { Problem, SourceLocation } from "../errors/flow-error.ts";
import { locate } from "../util/call-site.ts";
import { nearestName } from "../util/nearest-name.ts";
import { BEHAVIOURS, readBehaviour } from "./define-behaviour.ts";
import type { StepBehaviour, StepDefinition, StepKind } from "./definition.ts";
import type { FlowClass } from "./public-types.ts";
import { showOption } from "./show-option.ts";
import { type StepFact, stepFactsOf } from "./step-facts.ts";

const KNOWN: Readonly<Record<StepKind, readonly string[]>> = {
  step: ["next", "foreach", ...BEHAVIOURS],
  join: ["next", "foreach", ...BEHAVIOURS],
  choose: ["on", "next", "join", ...BEHAVIOURS],
};

/** The steps of a flow class, and into `problems` what is wrong with each decorator by itself. */
export function defineSteps(flowClass: FlowClass, problems: Problem[]): readonly StepDefinition[] {
  const { steps, misused } = stepFactsOf(flowClass);
  for (const fact of misused) {
    add(
      problems,
      fact,
      "FLOW_DEFINITION_BAD_DECORATOR",
      `@${fact.kind} cannot stand on "${fact.name}": ${fact.misuse}`,
      "Put one step decorator on a public method",
    );
  }
  return steps.map((fact) => defineStep(flowClass, fact, problems));
}

function defineStep(flowClass: FlowClass, fact: StepFact, problems: Problem[]): StepDefinition {
  checkOptions(fact, problems);
  const { options, kind, name } = fact;
  const location = locate(fact.site);
  const cases = kind === "choose" ? casesOf(fact, problems) : undefined;
  const next = cases === undefined ? targetsOf(fact, problems) : [...new Set(cases.map(({ target }) => target))];
  const foreach = kind === "choose" ? undefined : fieldOption(fact, "foreach", problems);
  const on = kind === "choose" ? fieldOption(fact, "on", problems) : undefined;
  if (kind === "choose" && on === undefined && options.on === undefined) {
    add(
      problems,
      fact,
      "FLOW_DEFINITION_BAD_OPTION",
      `Step "${name}" does not say which field it looks at`,
      'Give @choose an "on"',
    );
  }
  if (options.join !== undefined && kind === "choose" && typeof options.join !== "boolean") {
    add(
      problems,
      fact,
      "FLOW_DEFINITION_BAD_OPTION",
      `"join" of step "${name}" is ${showOption(options.join)} instead of true or false`,
    );
  }
  return {
    name,
    kind,
    isJoin: kind === "join" || (kind === "choose" && options.join === true),
    next,
    ...(foreach === undefined ? {} : { foreach }),
    ...(on === undefined ? {} : { on }),
    ...(cases === undefined ? {} : { cases }),
    behaviour: behaviourOf(fact, problems),
    ...(location === undefined ? {} : { location }),
    arity: arityOf(flowClass, name),
  };
}

function checkOptions(fact: StepFact, problems: Problem[]): void {
  const known = KNOWN[fact.kind];
  for (const [option, value] of Object.entries(fact.options)) {
    if (value === undefined) continue;
    if (!known.includes(option)) {
      const near = nearestName(option, known);
      add(
        problems,
        fact,
        "FLOW_DEFINITION_BAD_OPTION",
        `Step "${fact.name}" has the unknown option "${option}"`,
        near === undefined ? `@${fact.kind} takes ${known.join(", ")}` : `Did you mean "${near}"?`,
      );
    }
  }
}

function targetsOf(fact: StepFact, problems: Problem[]): readonly string[] {
  const { next } = fact.options;
  if (next === undefined) return [];
  const targets: readonly unknown[] = Array.isArray(next) ? next : [next];
  if (targets.every((target) => typeof target === "string")) return targets;
  add(
    problems,
    fact,
    "FLOW_DEFINITION_BAD_OPTION",
    `"next" of step "${fact.name}" is ${showOption(next)} instead of a step's name or a list of names`,
  );
  return targets.filter((target) => typeof target === "string");
}

function casesOf(fact: StepFact, problems: Problem[]): readonly { readonly value: string; readonly target: string }[] {
  const { next } = fact.options;
  if (typeof next === "object" && next !== null && !Array.isArray(next)) {
    const entries = Object.entries(next);
    const wrong = entries.filter(([, target]) => typeof target !== "string");
    for (const [value, target] of wrong) {
      add(
        problems,
        fact,
        "FLOW_DEFINITION_BAD_OPTION",
        `Case "${value}" of step "${fact.name}" is ${showOption(target)} instead of a step's name`,
      );
    }
    return entries
      .filter(([, target]) => typeof target === "string")
      .map(([value, target]) => ({ value, target: target as string }));
  }
  add(
    problems,
    fact,
    "FLOW_DEFINITION_BAD_OPTION",
    `"next" of step "${fact.name}" is ${showOption(next)} instead of a step's name for each value`,
    'Write next: { good: "publish", bad: "end" }',
  );
  return [];
}

function fieldOption(fact: StepFact, option: "foreach" | "on", problems: Problem[]): string | undefined {
  const value = fact.options[option];
  if (value === undefined || typeof value === "string") return value;
  add(
    problems,
    fact,
    "FLOW_DEFINITION_BAD_OPTION",
    `"${option}" of step "${fact.name}" is ${showOption(value)} instead of a field's name`,
  );
  return undefined;
}

function behaviourOf(fact: StepFact, problems: Problem[]): StepBehaviour {
  return readBehaviour(fact.options, (option, what, hint) =>
    add(problems, fact, "FLOW_DEFINITION_BAD_OPTION", `"${option}" of step "${fact.name}" ${what}`, hint),
  );
}

/** Parameters of the method that will run, which may be an undecorated override of the decorated one. */
function arityOf(flowClass: FlowClass, name: string): number {
  const method: unknown = (flowClass.prototype as unknown as Record<string, unknown>)[name];
  return typeof method === "function" ? method.length : 0;
}

function add(problems: Problem[], fact: StepFact, code: Problem["code"], message: string, hint?: string): void {
  const location: SourceLocation | undefined = locate(fact.site);
  problems.push({
    code,
    message,
    ...(hint === undefined ? {} : { hint }),
    ...(location === undefined ? {} : { location }),
  });
}
