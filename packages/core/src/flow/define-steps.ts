import type { Problem, SourceLocation } from "../errors/flow-error.ts";
import { locate } from "../util/call-site.ts";
import { nearestName } from "../util/nearest-name.ts";
import { showOption } from "../util/show-option.ts";
import { BEHAVIOURS, readBehaviour } from "./define-behaviour.ts";
import type { StepBehaviour, StepDefinition, StepKind } from "./definition.ts";
import type { FlowClass } from "./public-types.ts";
import { type StepFact, stepFactsOf } from "./step-facts.ts";

const KNOWN: Readonly<Record<StepKind, readonly string[]>> = {
  step: ["next", "foreach", ...BEHAVIOURS],
  join: ["next", "foreach", ...BEHAVIOURS],
  choose: ["on", "next", "join", ...BEHAVIOURS],
};

export interface DefinedSteps {
  readonly steps: readonly StepDefinition[];
  /** Whether what leads where is as it was written: nothing that is wrong has left out a step or a transition. */
  readonly isGraphKnown: boolean;
}

/** The steps of a flow class, and into `problems` what is wrong with each decorator by itself. */
export function defineSteps(flowClass: FlowClass, problems: Problem[]): DefinedSteps {
  const { steps, misused } = stepFactsOf(flowClass);
  let isGraphKnown = misused.length === 0;
  for (const fact of misused) {
    add(
      problems,
      fact,
      "FLOW_DEFINITION_BAD_DECORATOR",
      `@${fact.kind} cannot stand on "${fact.name}": ${fact.misuse}`,
      "Put one step decorator on a public method",
    );
  }
  const defined = steps.map((fact) => {
    const isWhole = checkOptions(fact, problems);
    const inGraph: Problem[] = [];
    const inBehaviour: Problem[] = [];
    const step = defineStep(flowClass, fact, inGraph, behaviourOf(fact, inBehaviour));
    if (!isWhole || inGraph.length > 0) isGraphKnown = false;
    problems.push(...inGraph, ...inBehaviour);
    return step;
  });
  return { steps: defined, isGraphKnown };
}

function defineStep(
  flowClass: FlowClass,
  fact: StepFact,
  problems: Problem[],
  behaviour: StepBehaviour,
): StepDefinition {
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
    behaviour,
    ...(location === undefined ? {} : { location }),
    arity: arityOf(flowClass, name),
  };
}

/** For an option that is like none of its decorator: the decorator that has it, else those that this one has. */
function whoTakes(option: string, kind: StepKind): string {
  const other = (Object.keys(KNOWN) as StepKind[]).find((each) => KNOWN[each].includes(option));
  return other === undefined ? `@${kind} takes ${KNOWN[kind].join(", ")}` : `It is an option of @${other}`;
}

/** @returns whether the graph is whole all the same: an unknown option may be meant for a transition (`nxt`) */
function checkOptions(fact: StepFact, problems: Problem[]): boolean {
  const known = KNOWN[fact.kind];
  let isWhole = true;
  for (const [option, value] of Object.entries(fact.options)) {
    if (value === undefined || known.includes(option)) continue;
    const near = nearestName(option, known);
    if (!BEHAVIOURS.some((name) => name === near)) isWhole = false;
    add(
      problems,
      fact,
      "FLOW_DEFINITION_BAD_OPTION",
      `Step "${fact.name}" has the unknown option "${option}"`,
      near === undefined ? whoTakes(option, fact.kind) : `Did you mean "${near}"?`,
    );
  }
  return isWhole;
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
    // It is stored as UTF-8, which has no half characters: another text would come back.
    for (const [value] of entries.filter(([text]) => !text.isWellFormed()))
      add(
        problems,
        fact,
        "FLOW_DEFINITION_BAD_OPTION",
        `Case ${JSON.stringify(value)} of step "${fact.name}" holds half of a character (a lone surrogate)`,
        "Choose by a text that is well-formed Unicode",
      );
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
