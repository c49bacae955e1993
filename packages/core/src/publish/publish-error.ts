import { FlowError } from "../errors/flow-error.ts";

/** Why an object counts as damaged that was deleted; it is not looked for again. */
export const NOT_THERE = "it is not there";

/** An object of a bucket that is not as it was written. */
export function damaged(key: string, why: string, cause?: unknown): FlowError {
  return new FlowError("FLOW_PUBLISH_DAMAGED", {
    message: `Cannot read "${key}" of the bucket: ${why}`,
    hint: "Put the object back from a copy of the bucket, or from an older version of it where the bucket keeps versions",
    context: { key, ...(why === NOT_THERE ? { isMissing: true } : {}) },
    ...(cause === undefined ? {} : { cause }),
  });
}
