/**
 * `--with 'retry=3'`: behaviour for all steps of a run that do not ask for it themselves. One word is a behaviour with its
 * value (`retry=3`, `timeout=10m`, `isolate=process`, `cache`) or with settings (`retry:times=3,delay=2s`).
 */
import { type Problem, problemsError } from "../errors/flow-error.ts";
import { nearestName } from "../util/nearest-name.ts";
import { BEHAVIOURS, readBehaviour } from "./define-behaviour.ts";
import type { FlowDefinition, StepBehaviour } from "./definition.ts";

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
  const before = problems.length;
  const value = match[2] === ":" ? readSettings(name, match[3]!, refuse) : readValue(name, match[3]);
  const behaviour = readBehaviour({ [name]: value }, (option, what, hint) => refuse(`"${option}" ${what}`, hint));
  return problems.length > before ? undefined : behaviour;
}

/** `max-parallel` is `maxParallel`, as flags of parameters are. */
function sameName(behaviour: string, asked: string): boolean {
  return asked.replaceAll("-", "").toLowerCase() === behaviour.toLowerCase();
}

function readValue(name: string, text: string | undefined): unknown {
  if (text === undefined) return true; // `--with cache`; any other behaviour says that it wants a value.
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
