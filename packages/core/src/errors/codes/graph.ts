import type { CodeEntry } from "../code-table.ts";

export const graphCodes = {
  FLOW_GRAPH_UNKNOWN_STEP: {
    meaning: "A transition leads to a step that does not exist",
    cause: "A typing error, or a method without a step decorator",
    remedy: "Correct the name, or put @step on the method",
  },
  FLOW_GRAPH_REPEATED_TARGET: {
    meaning: "A step names the same target twice",
    cause: "A list in next holds a name twice",
    remedy: "Name each target once; use foreach to run a step several times",
  },
  FLOW_GRAPH_NO_START: {
    meaning: "No step begins the flow",
    cause: "There are no steps, or each one follows another",
    remedy: 'Add a step "start" that nothing leads to',
  },
  FLOW_GRAPH_START_HAS_INPUT: {
    meaning: 'The step "start" follows another step',
    cause: "A step that is not reached from it leads to it",
    remedy: "Rename the step or remove the transition",
  },
  FLOW_GRAPH_SEVERAL_STARTS: {
    meaning: "Several steps begin the flow",
    cause: 'No step is called "start", and more than one has nothing that leads to it',
    remedy: 'Name the first step "start" and lead from it to the others',
  },
  FLOW_GRAPH_SEVERAL_ENDS: {
    meaning: "Several steps end the flow",
    cause: 'A step lacks its "next"',
    remedy: "Lead all but one to another step",
  },
  FLOW_GRAPH_UNREACHABLE: {
    meaning: "A step is never reached",
    cause: "No transition leads to it from the start",
    remedy: 'Name it in "next" of a step, or remove its decorator',
  },
  FLOW_GRAPH_CYCLE: {
    meaning: "Steps wait for each other",
    cause: "A transition leads back that is no choice",
    remedy: "Remove it, or let a @choose step lead back",
  },
  FLOW_GRAPH_LOOP_ENTRIES: {
    meaning: "A loop can be entered in several places",
    cause: "A transition leads past the step that the loop begins with",
    remedy: "Lead into the loop at one step only, the one that its @choose leads back to",
  },
  FLOW_GRAPH_LOOP_ENDLESS: {
    meaning: "Nothing leads out of a loop",
    cause: "All cases of its choices stay inside of it",
    remedy: "Give its @choose a case that leads on",
  },
  FLOW_GRAPH_LOOP_INTO_JOIN: {
    meaning: "A choice leads back to a join",
    cause: "From the second round on the join would have nothing to join",
    remedy: "Put a @step behind the join, and lead back to that",
  },
  FLOW_GRAPH_LOOP_CROSSES_FOREACH: {
    meaning: "A loop crosses the border of a foreach",
    cause:
      "A choice inside a foreach leads to a step outside of it, or a join inside a loop closes a foreach around it",
    remedy: "Keep the loop inside the foreach, or close the foreach inside the loop",
  },
  FLOW_GRAPH_LOOP_BRANCHES: {
    meaning: "A round of a loop can end in two ways at once",
    cause: "Parallel branches inside of the loop lead back or out of it before they were joined",
    remedy: "Join the branches inside of the loop, before the choice that leads back",
  },
  FLOW_GRAPH_FOREACH_TARGET: {
    meaning: "A foreach leads to no step or to several",
    cause: 'The step with foreach has no "next", or a list',
    remedy: "Fan out to one step, which may then lead to several",
  },
  FLOW_GRAPH_FOREACH_TARGET_SHARED: {
    meaning: "A step is the target of a foreach and of another transition as well",
    cause: "It would sometimes receive an item and sometimes none",
    remedy: "Give the other transition a step of its own",
  },
  FLOW_GRAPH_EMPTY_FOREACH: {
    meaning: "A foreach leads straight into a join",
    cause: "No step works on the items",
    remedy: "Put a step between that takes the item",
  },
  FLOW_GRAPH_FOREACH_NOT_CLOSED: {
    meaning: "The flow ends inside a foreach",
    cause: "The items are never joined",
    remedy: "Add a @join before the last step",
  },
  FLOW_GRAPH_FOREACH_CLOSED_TWICE: {
    meaning: "Several joins close one foreach",
    cause: "Branches or arms inside the foreach lead to joins of their own",
    remedy: "Join the branches first, then the items in one join",
  },
  FLOW_GRAPH_FEW_CASES: {
    meaning: "A choose step has fewer than two cases",
    cause: "Nothing is left to choose",
    remedy: "Add cases, or make it a plain @step",
  },
  FLOW_GRAPH_UNEXPECTED_PARAMETER: {
    meaning: "A step's method has parameters for which there are no values",
    cause: "@step where @join is meant, or a transition without foreach to a step that takes an item",
    remedy: "Write @join, lead to it by a foreach, or remove the parameter",
  },
  FLOW_GRAPH_MISSING_JOIN: {
    meaning: "Parallel branches meet in a step that is no join",
    cause: "@step where @join is meant",
    remedy: "Make it a @join",
  },
  FLOW_GRAPH_NOTHING_TO_JOIN: {
    meaning: "A join has only one input and no foreach to close",
    cause: "@join where @step is meant, or a branch that leads elsewhere",
    remedy: "Make it a @step, or lead the other branches to it",
  },
  FLOW_GRAPH_MIXED_SCOPES: {
    meaning: "Transitions from different foreach depths lead to one step",
    cause: "Some come from inside a foreach and others from outside, or from two different ones",
    remedy: "Close each foreach with a join of its own first",
  },
  FLOW_GRAPH_TOO_COMPLEX: {
    meaning: "The choices of a flow have too many combinations to be checked",
    cause: "Very many choose steps whose branches stay open side by side",
    remedy: "Join branches between the choose steps, or split the flow in two",
  },
} as const satisfies Readonly<Record<`FLOW_${string}`, CodeEntry>>;
