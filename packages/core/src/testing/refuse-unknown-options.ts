import { type Problem, problemsError } from "../errors/flow-error.ts";
import { nearestName } from "../util/nearest-name.ts";

/**
 * Refuses options that nobody reads: the compiler sees a misspelt one only where the options are written in place.
 *
 * @throws FlowError FLOW_TESTING_BAD_OPTION, with all of them
 */
export function refuseUnknownOptions(called: string, given: object, known: Readonly<Record<string, true>>): void {
  const names = Object.keys(known);
  const problems = Object.keys(given)
    .filter((name) => !names.includes(name))
    .map((name): Problem => {
      const near = nearestName(name, names);
      return {
        code: "FLOW_TESTING_BAD_OPTION",
        message: `${called} has no option "${name}"`,
        hint: near === undefined ? `It takes ${names.join(", ")}` : `Did you mean "${near}"?`,
      };
    });
  if (problems.length > 0) throw problemsError(`Cannot take the options of ${called}`, problems);
}
