import type { CodeEntry } from "../code-table.ts";

export const transferCodes = {
  FLOW_TRANSFER_BAD_FILE: {
    meaning: "A file of exported runs is refused as a whole; nothing of it was imported",
    cause: "It was cut short or changed on its way, is no file of flow export, was made to do harm, or is not there",
    remedy: "Compare it with the original, get it again, or export the runs again",
  },
  FLOW_TRANSFER_NEWER_FILE: {
    meaning: "A file of exported runs has a form that this version does not know",
    cause: "It was made by a newer version of Millrace",
    remedy: "Update Millrace here, or export with the version that is installed here",
  },
  FLOW_TRANSFER_OTHER_CONTENT: {
    meaning: "A run of a file is in the store already, with other content",
    cause:
      "The run went on in one of the two stores after it was exported (it was resumed), or one of them was changed",
    remedy: "Find out which of the two is right, by flow show in both stores; the one in this store was not changed",
  },
  FLOW_TRANSFER_NOT_OVER: {
    meaning: "A run that is not over was to be exported",
    cause: "It is running or waits to run",
    remedy: "Wait until it has ended, or end it",
  },
  FLOW_TRANSFER_BAD_RECORDS: {
    meaning: "Records of runs that were to be exported are such as no store takes over; no file was written",
    cause: "Rows of the store were changed or deleted by hand, or by a program that is not Millrace",
    remedy: "See with flow store verify what is wrong and put the store back from a copy, or leave the run out",
  },
  FLOW_TRANSFER_TOO_LARGE: {
    meaning: "Runs do not fit into one file of exported runs",
    cause: "More values, runs or tasks than one file may have, or a single record that is too large",
    remedy: "Export fewer runs into one file",
  },
  FLOW_TRANSFER_CHANGED: {
    meaning: "A run changed while it was exported",
    cause: "It was resumed, or output of it still came in",
    remedy: "Wait until it has ended, then export again",
  },
} as const satisfies Readonly<Record<`FLOW_${string}`, CodeEntry>>;
