import type { Problem } from "../errors/flow-error.ts";
import type { StepDefinition } from "../flow/definition.ts";

/** A problem at the place where a step is declared. */
export function problemAt(
  step: StepDefinition | undefined,
  code: Problem["code"],
  message: string,
  hint?: string,
): Problem {
  return {
    code,
    message,
    ...(hint === undefined ? {} : { hint }),
    ...(step?.location === undefined ? {} : { location: step.location }),
  };
}

/** Names for people: `"a"`, `"a" and "b"`, `"a", "b" and "c"`. */
export function listNames(names: readonly string[]): string {
  const quoted = names.map((name) => `"${name}"`);
  return quoted.length < 2 ? (quoted[0] ?? "") : `${quoted.slice(0, -1).join(", ")} and ${quoted.at(-1)}`;
}
