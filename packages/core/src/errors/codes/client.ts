import type { CodeEntry } from "../code-table.ts";

export const clientCodes = {
  FLOW_CLIENT_BAD_SELECTOR: {
    meaning: "A selector of a run, task or artifact cannot be read",
    cause: "A typing error in Flow/17, Flow@tag or Flow/17/step/0",
    remedy: "Write Flow, Flow/17, Flow@tag or Flow/17/step/path, optionally with .artifact behind it",
  },
  FLOW_CLIENT_NO_STORE: {
    meaning: "There is no store to read from",
    cause: "No flow has run here yet, or the command was started in another folder",
    remedy: "Run a flow first, go to its folder, or name the store with --store or MILLRACE_STORE",
  },
  FLOW_CLIENT_NOT_A_STORE: {
    meaning: "The path that was given as a store is something else",
    cause: "It is a file, or a folder that holds other things and no store",
    remedy: "Name an empty or new folder, or the folder of a store",
  },
  FLOW_CLIENT_FOREIGN_STORE: {
    meaning: "A store that was found upwards of the working directory belongs to another user",
    cause:
      "Someone left a .millrace in a folder that several users share, such as /tmp, or the folder was copied with its owner",
    remedy: "Name the store with --store or MILLRACE_STORE when you trust its owner, or name another one",
  },
  FLOW_CLIENT_OTHER_DIGEST: {
    meaning: "An artifact is not the one that was asked for: its SHA-256 is another",
    cause: "A tag or the newest run, which has moved on since the digest was written down; or a mistyped digest",
    remedy: "Name the run by its number or id, or take over the new digest if the new artifact is what you want",
  },
  FLOW_CLIENT_NO_ARTIFACT: {
    meaning: "A run or task has no artifact of that name",
    cause: "A typing error, or no step on the way to the end set the field",
    remedy: "Use one of the names that the hint lists",
  },
  FLOW_CLIENT_NOT_FINISHED: {
    meaning: "A run or task has no artifacts to read because it has not succeeded",
    cause: "It failed, was cancelled or is still running",
    remedy: "Wait for it, read one of its finished tasks, or read another run",
  },
  FLOW_CLIENT_NO_TASK: {
    meaning: "A run has no task of that name",
    cause: "A typing error in the step or path, or a step that was not reached",
    remedy: "Use a step that the run has; flow show lists them",
  },
  FLOW_CLIENT_NO_UPSTREAM: {
    meaning: "A run has no upstream of that name",
    cause: "A typing error, or an optional upstream that found no run",
    remedy: "Use one of the names that the hint lists",
  },
  FLOW_CLIENT_BAD_QUERY: {
    meaning: "A query for runs cannot be answered as asked",
    cause: "A parameter value that cannot be compared, a negative limit or an unknown status",
    remedy: "Compare with the value as it stands on the command line",
  },
  FLOW_CLIENT_BAD_OPTION: {
    meaning: "A function was given an option that it does not have, or one that holds something else",
    cause: "A misspelt name: the compiler sees it only where options are written in place",
    remedy: "Use one of the options that the hint lists",
  },
  FLOW_CLIENT_STORE_GONE: {
    meaning: "The store was deleted or replaced while a run was written to it",
    cause: "Another program removed or moved the store's folder",
    remedy: "Restore the store from a copy, or run again",
  },
} as const satisfies Readonly<Record<`FLOW_${string}`, CodeEntry>>;
