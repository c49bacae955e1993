import type { CodeEntry } from "../code-table.ts";

export const copyCodes = {
  FLOW_COPY_SAME_PLACE: {
    meaning: "A store was to be copied onto itself",
    cause: "The two names of flow store copy mean the same folder or bucket",
    remedy: "Name another place for the copy",
  },
  FLOW_COPY_OTHER_STORE: {
    meaning: "A store was to be copied to a place that has another store",
    cause: "The place holds a store with an id of its own, which a copy would write over",
    remedy: "Name an empty place; or take single runs along with flow export and flow import",
  },
  FLOW_COPY_DIVERGED: {
    meaning: "The place that a store was to be copied to has something of the same store which the source has not",
    cause: "Runs were made, tags moved or runs deleted in the copy, after it was copied",
    remedy:
      "Copy the other way first, if the source has nothing of its own; or take the runs over with flow export and flow import",
  },
} as const satisfies Readonly<Record<`FLOW_${string}`, CodeEntry>>;
