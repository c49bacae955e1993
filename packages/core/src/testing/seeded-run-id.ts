import { createHash } from "node:crypto";
import { newRunId, type RunId } from "../ids/run-id.ts";

/** A run id that depends on a seed alone: `current.random()` draws the same numbers in each run of a test. */
export function seededRunId(seed: number): RunId {
  return newRunId(0, createHash("sha256").update(`millrace:testing:${seed}`).digest());
}
