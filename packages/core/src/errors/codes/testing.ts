import type { CodeEntry } from "../code-table.ts";

export const testingCodes = {
  FLOW_TESTING_NO_STEP: {
    meaning: "runStep was asked for a step that the flow does not have",
    cause: "A misspelt name",
    remedy: "Use one of the names that the hint lists",
  },
  FLOW_TESTING_BAD_INPUTS: {
    meaning: "What a test gives to a step does not fit what leads to it",
    cause: "An item for a step that no foreach leads to, or inputs of a join from steps that do not lead to it",
    remedy: "Give item to the step of a foreach, inputs by step name to a join",
  },
  FLOW_TESTING_BAD_VALUE: {
    meaning: "A test gives a value under a name that no step sets",
    cause: "A parameter or constant among inputs, or a misspelt upstream",
    remedy: "Give parameters as params and artifacts of other runs as upstreams",
  },
  FLOW_TESTING_BAD_OPTION: {
    meaning: "runStep or runFlow was given an option that it does not have",
    cause: "A misspelt name, or an option of the other one",
    remedy: "Use one of the options that the hint lists",
  },
  FLOW_TESTING_NO_UPSTREAM: {
    meaning: "A step under test reads from an upstream that the test does not give",
    cause: "The step needs artifacts of another run",
    remedy: "Give them as upstreams: { NAME: { … } }",
  },
} as const satisfies Readonly<Record<`FLOW_${string}`, CodeEntry>>;
