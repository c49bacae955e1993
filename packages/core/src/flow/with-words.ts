/**
 * `--with 'retry=3'`: behaviour for all steps of a run that do not ask for it themselves. One word is a behaviour with its
 * value (`retry=3`, `timeout=10m`, `isolate=process`, `cache`) or with settings (`retry:times=3,delay=2s`).
 */
import { type Problem, problemsError } from "../errors/flow-error.ts";
import { isName } from "../ids/names.ts";
import { nearestName } from "../util/nearest-name.ts";
import { BEHAVIOURS as ALL, readBehaviour } from "./define-behaviour.ts";
import type { FlowDefinition, StepBehaviour } from "./definition.ts";
import { type ProbedField, probeFlow } from "./probe-flow.ts";
import type { FlowClass } from "./public-types.ts";

/** All but the one that is about fields: which of them a step shares is known where it is written. */
const BEHAVIOURS = ALL.filter((name) => name !== "shared");

/**
 * A flow whose steps have the behaviour that words ask for; what a step asks for itself stands.
 *
 * @throws FlowError FLOW_DEFINITION_BAD_WITH, with all that is wrong at once
 */
export function withBehaviour(flow: FlowDefinition, words: readonly string[]): FlowDefinition {
  if (words.length === 0) return flow;
  const problems: Problem[] = [];
  const asked: Record<string, StepBehaviour> = {};
  for (const word of words) {
    const read = readWord(word, problems);
    if (read !== undefined) Object.assign(asked, read);
  }
  if (problems.length > 0) throw problemsError(`Cannot run ${flow.name} with ${words.join(" ")}`, problems);
  return { ...flow, steps: flow.steps.map((step) => ({ ...step, behaviour: { ...asked, ...step.behaviour } })) };
}

/**
 * What is wrong with the field that `catch=field` names: the compiler sees to that in a decorator, here the class is asked.
 * A class whose compiler left the fields without a value away can only be asked for what the name must not be.
 */
export function caughtFieldProblems(
  flowClass: FlowClass,
  flow: FlowDefinition,
  words: readonly string[],
): readonly Problem[] {
  const named = words.flatMap((word) => readWord(word, [])?.catch ?? []);
  if (named.length === 0) return [];
  const { fields } = probeFlow(flowClass);
  const free = [...fields].filter(([name, field]) => isName(name) && holdsArtifact(field)).map(([name]) => name);
  const isTaken = (name: string): boolean =>
    fields.has(name) || name in flowClass.prototype || flow.steps.some((step) => step.name === name);
  return [...new Set(named)]
    .filter((name) => !free.includes(name) && (free.length > 0 || isTaken(name)))
    .map((name): Problem => {
      const near = nearestName(name, free);
      return {
        code: "FLOW_DEFINITION_BAD_WITH",
        message: `"catch" names "${name}", which is no field of ${flow.name} that can hold a failure`,
        hint:
          near === undefined
            ? `Declare ${isTaken(name) ? "failure" : name}?: TaskFailure in ${flow.name} and name it`
            : `Did you mean "${near}"?`,
      };
    });
}

/** A field that steps may set: it has no value yet, or is declared with `artifact(schema)`. */
function holdsArtifact(field: ProbedField): boolean {
  return field.kind === "empty" || (field.kind === "definition" && field.fact.kind === "artifact");
}

function readWord(word: string, problems: Problem[]): StepBehaviour | undefined {
  const match = /^([^=:]+)(?:([=:])(.*))?$/s.exec(word);
  const asked = match?.[1] ?? word;
  const name = BEHAVIOURS.find((behaviour) => sameName(behaviour, asked));
  const refuse = (message: string, hint?: string): void => {
    problems.push({ code: "FLOW_DEFINITION_BAD_WITH", message, ...(hint === undefined ? {} : { hint }) });
  };
  if (match === null || name === undefined) {
    const near = nearestName(asked, BEHAVIOURS);
    refuse(
      `"${asked}" is no behaviour of steps`,
      near === undefined ? `There are ${BEHAVIOURS.join(", ")}` : `Did you mean "${near}"?`,
    );
    return undefined;
  }
  if (match[2] === undefined && name !== "cache") {
    refuse(`"${asked}" does not say what it is`, `Write ${EXAMPLES[name]}`);
    return undefined;
  }
  const before = problems.length;
  const value = match[2] === ":" ? readSettings(name, match[3]!, refuse) : readValue(name, match[3]);
  const behaviour = readBehaviour({ [name]: value }, (option, what, hint) => refuse(`"${option}" ${what}`, hint));
  return problems.length > before ? undefined : behaviour;
}

/** How each is written; what stands here is a hint, and must be accepted. */
const EXAMPLES: Readonly<Record<(typeof BEHAVIOURS)[number], string>> = {
  retry: "retry=3, or retry:times=3,delay=2s",
  timeout: "timeout=10m",
  catch: "catch=failure, where failure?: TaskFailure is a field of the flow",
  isolate: "isolate=process",
  maxParallel: "max-parallel=2",
  resources: "resources:memory=2GB",
  environment: "environment:TZ=UTC",
  secrets: "secrets=API_KEY",
  cache: "cache",
};

/** `max-parallel` is `maxParallel`, as flags of parameters are. */
function sameName(behaviour: string, asked: string): boolean {
  return asked.replaceAll("-", "").toLowerCase() === behaviour.toLowerCase();
}

function readValue(name: string, text: string | undefined): unknown {
  if (text === undefined) return true; // `--with cache` alone has no value.
  if (name === "secrets") return text.split(",");
  return plain(text);
}

function readSettings(
  name: string,
  text: string,
  refuse: (message: string, hint?: string) => void,
): Readonly<Record<string, unknown>> {
  const settings: Record<string, unknown> = {};
  for (const part of text.split(",")) {
    const end = part.indexOf("=");
    if (end < 1) {
      refuse(`"${part}" of "${name}" is no setting`, `Write ${name}:key=value,key=value`);
      continue;
    }
    const value = part.slice(end + 1);
    settings[part.slice(0, end)] = name === "environment" ? value : plain(value);
  }
  return settings;
}

function plain(text: string): unknown {
  if (text === "true" || text === "false") return text === "true";
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}
