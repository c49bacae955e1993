import type { FlowError, Problem } from "@millrace/core/internal";
import { loadCore } from "../core.ts";
import type { Fault } from "./parse-arguments.ts";

/** All faults of a command line as one error; `command` is what the user should ask for help with: `flow run`. */
export async function faultsError(command: string, faults: readonly Fault[]): Promise<FlowError> {
  const { problemsError, nearestName } = await loadCore();
  return problemsError(
    `Cannot read the command line of "${command}"`,
    faults.map((fault) => faultProblem(fault, command, nearestName)),
  );
}

type NearestName = (name: string, candidates: Iterable<string>) => string | undefined;

/** One fault in words. */
export function faultProblem(fault: Fault, command: string, nearestName: NearestName): Problem {
  switch (fault.kind) {
    case "unknown-flag":
      return {
        code: "FLOW_CLI_UNKNOWN_FLAG",
        message: `Unknown flag "${fault.flag}"`,
        hint: fault.hint ?? suggestion(fault.flag, fault.known, nearestName) ?? `Type ${command} --help for the flags`,
      };
    case "missing-value":
      return {
        code: "FLOW_CLI_MISSING_VALUE",
        message: `"${fault.flag}" needs a value`,
        hint: `Write ${spell(fault.flag, fault.placeholder)}`,
      };
    case "needless-value":
      return {
        code: "FLOW_CLI_BAD_VALUE",
        message: `"${fault.flag}" takes no value, "${fault.value}" was given`,
        hint: `Write ${fault.flag} alone`,
      };
    case "bad-value":
      return {
        code: "FLOW_CLI_BAD_VALUE",
        message: `"${fault.flag}" is "${fault.value}" and must be ${fault.wanted}`,
        ...hintOf(fault.choices === undefined ? undefined : suggestion(fault.value, fault.choices, nearestName)),
      };
    case "repeated-flag":
      return {
        code: "FLOW_CLI_REPEATED_FLAG",
        message: `"${fault.flag}" is given more than once`,
        hint: "Keep one of them",
      };
    case "opposite-flags":
      return {
        code: "FLOW_CLI_REPEATED_FLAG",
        message: `"--${fault.flag}" and "--no-${fault.flag}" say the opposite of each other`,
        hint: "Keep one of them",
      };
    case "missing-argument":
      return {
        code: "FLOW_CLI_MISSING_ARGUMENT",
        message: `${fault.argument} is missing`,
        hint: `Type ${command} --help for the arguments`,
      };
    case "unexpected-argument":
      return {
        code: "FLOW_CLI_UNEXPECTED_ARGUMENT",
        message: `Unexpected argument "${fault.value}"`,
        hint: "Quote values with spaces, or put a flag in front",
      };
  }
}

function suggestion(word: string, known: readonly string[], nearestName: NearestName): string | undefined {
  if (/^-[^-]$/.test(word)) return undefined; // Any letter is near any other.
  const bare = new Map(known.filter((name) => !/^-[^-]$/.test(name)).map((name) => [name.replace(/^-+/, ""), name]));
  const nearest = nearestName(word.replace(/^-+/, ""), bare.keys());
  return nearest === undefined ? undefined : `Did you mean "${bare.get(nearest)}"?`;
}

function spell(flag: string, placeholder: string): string {
  return flag.startsWith("--")
    ? `${flag} ${placeholder}, or ${flag}=${placeholder} when it begins with a dash`
    : `${flag} ${placeholder}`;
}

function hintOf(hint: string | undefined): { hint?: string } {
  return hint === undefined ? {} : { hint };
}
