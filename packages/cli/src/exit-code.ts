import { isFlowErrorLike } from "./render/errors.ts";

/** What the command's exit code says. 130 and 143 are those that a shell gives for SIGINT and SIGTERM. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  store: 3,
  /** What a store holds is not what was written to it. */
  damaged: 4,
  internal: 70,
  interrupted: 130,
  terminated: 143,
} as const;

/** What Node calls a program that has nothing left to do while it still waits: a step that never settles, in `flow step`. */
export const UNSETTLED = 13;

/** Codes whose room says something else than their kind of failure. */
const EXCEPTIONS: Readonly<Record<string, number>> = {
  FLOW_CLIENT_BAD_SELECTOR: EXIT.usage,
  FLOW_CLIENT_BAD_QUERY: EXIT.usage,
  FLOW_CLIENT_NO_STORE: EXIT.store,
  FLOW_CLIENT_NOT_A_STORE: EXIT.store,
  FLOW_CLIENT_FOREIGN_STORE: EXIT.store,
  FLOW_LINEAGE_BAD_TAG: EXIT.usage,
  FLOW_TAG_BAD_POLICY: EXIT.usage,
  FLOW_TAG_BAD_TIME: EXIT.usage,
  FLOW_WEBHOOK_BAD_URL: EXIT.usage,
  FLOW_SIGN_BAD_KEY: EXIT.usage,
  FLOW_SIGN_NO_KEY: EXIT.usage,
  FLOW_SIGN_OPEN_KEY: EXIT.usage,
  FLOW_LINEAGE_UNKNOWN_UPSTREAM: EXIT.usage,
  FLOW_RUNNER_BAD_PARAMS_FILE: EXIT.usage,
  FLOW_RUNNER_NO_SECRET: EXIT.usage,
  FLOW_RUNNER_BAD_SHARED_MEMORY: EXIT.usage,
  FLOW_CLI_OUTPUT_NOT_WRITABLE: EXIT.failed,
  FLOW_CLI_TOO_MANY_FILES: EXIT.failed,
  FLOW_METADATA_BAD_ARGUMENT: EXIT.usage,
  FLOW_METADATA_CHANGED_RECORDS: EXIT.damaged,
  FLOW_TRANSFER_BAD_RECORDS: EXIT.damaged,
  // The store is well: it is the run that is another's, or over.
  FLOW_METADATA_FENCED: EXIT.failed,
  FLOW_METADATA_RUN_ALIVE: EXIT.failed,
  FLOW_METADATA_RUN_FINAL: EXIT.failed,
  FLOW_RESUME_NO_RUN: EXIT.failed,
  FLOW_RESUME_NO_PACKAGE: EXIT.failed,
  FLOW_RESUME_RUNNING: EXIT.failed,
};

const BY_ROOM: Readonly<Record<string, number>> = {
  CLI: EXIT.usage,
  CONFIG: EXIT.usage,
  FLOW: EXIT.usage,
  GRAPH: EXIT.usage,
  PACKAGE: EXIT.usage,
  DEFINITION: EXIT.usage,
  PARAMETER: EXIT.usage,
  RESUME: EXIT.usage,
  STORAGE: EXIT.store,
  METADATA: EXIT.store,
  INTERNAL: EXIT.internal,
};

/** The exit code for an error that ended a command: by its code, and 70 for what is no error of ours to foresee. */
export function exitCodeOf(thrown: unknown): number {
  return isFlowErrorLike(thrown) ? exitCodeFor(thrown.code) : EXIT.internal;
}

/** As `exitCodeOf`, by the code of an error of Millrace. */
export function exitCodeFor(code: string): number {
  const room = code.split("_")[1] ?? "";
  return EXCEPTIONS[code] ?? BY_ROOM[room] ?? EXIT.failed;
}
