import type { Problem, SourceLocation } from "../errors/flow-error.ts";
import { isName } from "../ids/names.ts";
import { locate } from "../util/call-site.ts";
import type { DefinedFields } from "./define-fields.ts";
import type { StepDefinition } from "./definition.ts";
import { flagOf, RESERVED_FLAGS, RESERVED_SHORT_FLAGS } from "./flag-names.ts";
import { Flow } from "./flow.ts";
import type { ProbedFlow } from "./probe-flow.ts";
import type { FlowClass } from "./public-types.ts";

/** Members that every flow has: those of Flow, those of every object, and `then`, which would make a flow a promise. */
const TAKEN: ReadonlySet<string> = new Set([
  ...Object.getOwnPropertyNames(Flow.prototype),
  "signal",
  ...Object.getOwnPropertyNames(Object.prototype),
  "then",
]);

/**
 * What the list that a join receives can do by itself: `inputs.map` cannot be the input of a step "map" as well, and
 * `inputs.before` not that of a step "before".
 */
const LIST_MEMBERS: ReadonlySet<string> = new Set([...Object.getOwnPropertyNames(Array.prototype), "before", "maybe"]);

/** Everything that is wrong with the names of steps and fields, and with the flags that are made of them. */
export function nameProblems(
  flowClass: FlowClass,
  steps: readonly StepDefinition[],
  probed: ProbedFlow | undefined,
  fields: DefinedFields,
): readonly Problem[] {
  const problems: Problem[] = [];
  const stepNames = new Map(steps.map((step) => [step.name, step]));
  for (const step of steps) {
    checkName("step", step.name, step.location, problems);
    if (LIST_MEMBERS.has(step.name) && step.next.some((target) => stepNames.get(target)?.isJoin === true)) {
      problems.push({
        code: "FLOW_DEFINITION_RESERVED_NAME",
        message: `Step "${step.name}" leads into a join, where inputs.${step.name} is a member of every list`,
        hint: "Rename the step",
        ...(step.location === undefined ? {} : { location: step.location }),
      });
    }
  }
  for (const [name, field] of probed?.fields ?? []) {
    const location = field.kind === "definition" ? locate(field.fact.site) : undefined;
    if (field.kind === "function" && !stepNames.has(name)) continue;
    checkName("field", name, location, problems);
    const step = stepNames.get(name);
    if (step !== undefined) {
      problems.push({
        code: "FLOW_DEFINITION_RESERVED_NAME",
        message: `"${name}" is a step and a field of flow "${flowClass.name}"`,
        hint: "Rename one of them",
        ...(step.location === undefined ? {} : { location: step.location }),
      });
    }
  }
  problems.push(...flagProblems(fields, probed));
  return problems;
}

function checkName(what: string, name: string, location: SourceLocation | undefined, problems: Problem[]): void {
  const at = location === undefined ? {} : { location };
  if (!isName(name)) {
    problems.push({
      code: "FLOW_DEFINITION_BAD_NAME",
      message: `${JSON.stringify(name)} cannot name a ${what}`,
      hint: "Use an ASCII identifier of at most 128 characters",
      ...at,
    });
  } else if (TAKEN.has(name)) {
    problems.push({
      code: "FLOW_DEFINITION_RESERVED_NAME",
      message: `"${name}" cannot name a ${what}: every flow has a member of that name`,
      hint: `Rename the ${what}`,
      ...at,
    });
  }
}

function flagProblems(fields: DefinedFields, probed: ProbedFlow | undefined): readonly Problem[] {
  const problems: Problem[] = [];
  const owners = new Map<string, string>();
  const shortOwners = new Map<string, string>();
  const report = (code: Problem["code"], name: string, message: string, hint: string): void => {
    const field = probed?.fields.get(name);
    const location = field?.kind === "definition" ? locate(field.fact.site) : undefined;
    problems.push({ code, message, hint, ...(location === undefined ? {} : { location }) });
  };
  const claim = (flag: string, name: string): void => {
    const owner = owners.get(flag);
    if (RESERVED_FLAGS.includes(flag)) {
      report(
        "FLOW_DEFINITION_RESERVED_NAME",
        name,
        `"${name}" cannot have the flag --${flag}: it is one of the command line's own`,
        "Rename the field",
      );
    } else if (owner !== undefined) {
      report(
        "FLOW_DEFINITION_DUPLICATE_FLAG",
        name,
        `"${owner}" and "${name}" would both have the flag --${flag}`,
        "Rename one of them",
      );
    } else {
      owners.set(flag, name);
    }
  };
  for (const { name } of fields.upstreams) {
    claim(`${flagOf(name)}-tag`, name);
    claim(`${flagOf(name)}-run`, name);
  }
  for (const { name, flag } of [...fields.params, ...fields.configs, ...fields.files]) {
    if (flag === "") report("FLOW_DEFINITION_BAD_NAME", name, `"${name}" gives no flag`, "Use a name with letters");
    else claim(flag, name);
  }
  for (const [name, field] of probed?.fields ?? []) {
    const short =
      field.kind === "definition" && "options" in field.fact && "short" in field.fact.options
        ? field.fact.options.short
        : undefined;
    if (typeof short !== "string") continue;
    const owner = shortOwners.get(short);
    if (RESERVED_SHORT_FLAGS.includes(short))
      report(
        "FLOW_DEFINITION_RESERVED_NAME",
        name,
        `"${name}" cannot have the flag -${short}: it is one of the command line's own`,
        "Choose another letter",
      );
    else if (owner !== undefined)
      report(
        "FLOW_DEFINITION_DUPLICATE_FLAG",
        name,
        `"${owner}" and "${name}" would both have the flag -${short}`,
        "Choose another letter",
      );
    else shortOwners.set(short, name);
  }
  return problems;
}
