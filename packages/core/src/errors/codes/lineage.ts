import type { CodeEntry } from "../code-table.ts";

export const lineageCodes = {
  FLOW_LINEAGE_NO_RUN: {
    meaning: "No run fits what was asked for",
    cause: "No successful run of that flow carries all the tags, or the number or id names no run of this store",
    remedy:
      "Look at the near misses in the hint: a failed run with the tag, a similar tag, the same flow in another project",
  },
  FLOW_LINEAGE_SEVERAL_RUNS: {
    meaning: "Several successful runs carry the tags that were asked for",
    cause: "A tag was given to a second run without taking it from the first",
    remedy: "Take the tag from the runs that should not have it, or name the run by number",
  },
  FLOW_LINEAGE_NOT_SUCCEEDED: {
    meaning: "The run that was named did not succeed, so nothing may be read from it as an upstream",
    cause: "It failed, was cancelled or is still running",
    remedy: "Name another run, or wait until it has succeeded",
  },
  FLOW_LINEAGE_WRONG_FLOW: {
    meaning: "The run that was named is a run of another flow",
    cause: "The upstream field declares one flow and the selector names another",
    remedy: "Name a run of the declared flow",
  },
  FLOW_LINEAGE_AMBIGUOUS_FLOW: {
    meaning: "A flow was named without its project and several projects have a flow of that name",
    cause: "The store keeps runs of several projects",
    remedy: "Write the project in front: project/Flow",
  },
  FLOW_LINEAGE_TOO_OLD: {
    meaning: "The run that fits is older than the upstream allows with maxAge",
    cause: "The flow that makes it has not run lately",
    remedy: "Run it again, or allow a greater age",
  },
  FLOW_LINEAGE_RUN_DELETED: {
    meaning: "A run that is named was deleted; when and by whom is said",
    cause: "flow runs delete, or flow store gc by the age, number, status or tag of the run",
    remedy: "Name another run, or run the flow again: the number is never given again",
  },
  FLOW_LINEAGE_NO_EDGE: {
    meaning: "An upstream that should be the same as one of another run cannot be followed",
    cause: "That run recorded no upstream of this name, or its producer is not in this store",
    remedy: "Name the run by --NAME-run, or run the flow in between again",
  },
  FLOW_LINEAGE_CONFLICT: {
    meaning: "An upstream was asked for in two ways that exclude each other",
    cause: "Both tags and a run were given for it, or it declares both sameAs and tags",
    remedy: "Keep one of the two",
  },
  FLOW_LINEAGE_UNKNOWN_UPSTREAM: {
    meaning: "A request names an upstream that the flow does not have",
    cause: "A typing error in the upstream's name",
    remedy: "Use the name of an upstream field of the flow",
  },
  FLOW_LINEAGE_NOT_SENT: {
    meaning: "Lineage could not be sent to the endpoint that was named",
    cause: "It cannot be reached, gave no answer in time, or refused an event",
    remedy: "Look at its address and the key, then send all again: an event that comes twice is one event",
  },
  FLOW_LINEAGE_BAD_TAG: {
    meaning: "A text cannot be a tag",
    cause: "It is empty, too long, holds control characters, or begins with a prefix that only Millrace gives",
    remedy: "Use 1 to 500 visible characters that do not begin with a reserved prefix",
  },
} as const satisfies Readonly<Record<`FLOW_${string}`, CodeEntry>>;
