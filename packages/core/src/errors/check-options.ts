import { nearestName } from "../util/nearest-name.ts";
import { showOption } from "../util/show-option.ts";
import type { ErrorCode } from "./code-table.ts";
import { type Problem, problemsError } from "./flow-error.ts";

const KINDS = {
  text: { is: "a text", fits: (value: unknown) => typeof value === "string" },
  texts: {
    is: "a list of texts",
    fits: (value: unknown) => Array.isArray(value) && value.every((each) => typeof each === "string"),
  },
  boolean: { is: "true or false", fits: (value: unknown) => typeof value === "boolean" },
  number: { is: "a number", fits: (value: unknown) => typeof value === "number" },
  date: { is: "a Date", fits: (value: unknown) => value instanceof Date },
  signal: { is: "an AbortSignal", fits: (value: unknown) => isObject(value) && "aborted" in value },
  object: { is: "an object", fits: (value: unknown) => isObject(value) && !Array.isArray(value) },
  any: { is: "anything", fits: () => true },
} as const;

/** What options hold, by name; `any` where that is looked at by whoever reads it. */
export type OptionKinds<Options> = Readonly<Record<keyof Options, keyof typeof KINDS>>;

/**
 * Refuses options that nobody reads, and those that hold something else: the compiler sees a misspelt name only where the
 * options are written in place, and nothing of what comes from JavaScript. An option that is undefined is not given.
 *
 * @throws FlowError with the code and all of them
 */
export function checkOptions<Options>(
  called: string,
  given: Options,
  kinds: OptionKinds<Options>,
  code: ErrorCode = "FLOW_CLIENT_BAD_OPTION",
): void {
  const problems = isObject(given)
    ? Object.entries(given).flatMap(([name, value]) => problemOf(called, name, value, kinds) ?? [])
    : [{ message: `they are ${showOption(given)} instead of an object` }];
  if (problems.length === 0) return;
  const all = problems.map((problem): Problem => ({ code, ...problem }));
  throw problemsError(`Cannot take the options of ${called}`, all);
}

function problemOf(
  called: string,
  name: string,
  value: unknown,
  kinds: Readonly<Record<string, keyof typeof KINDS>>,
): Omit<Problem, "code"> | undefined {
  if (!Object.hasOwn(kinds, name)) {
    const names = Object.keys(kinds);
    const near = nearestName(name, names);
    return {
      message: `${called} has no option "${name}"`,
      hint: near === undefined ? `It takes ${names.join(", ")}` : `Did you mean "${near}"?`,
    };
  }
  const kind = KINDS[kinds[name]!];
  if (value === undefined || kind.fits(value)) return undefined;
  const other = Array.isArray(value) ? value.find((each) => !kind.fits([each])) : undefined;
  const shown = other === undefined ? showOption(value) : `a list with ${showOption(other)}`;
  return { message: `"${name}" is ${shown} instead of ${kind.is}` };
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
