import { FlowError } from "../errors/flow-error.ts";

/** Why a value is refused, and what to do about it. */
export interface Refusal {
  /** Follows the path in the message: "a Proxy", "the function f is not data". */
  readonly reason: string;
  readonly hint?: string;
  readonly cause?: unknown;
}

/** The error for a value that cannot be saved. `path` says where it stands, from the name that the caller gave to the root. */
export function unserialisable(path: string, refusal: Refusal): FlowError {
  return new FlowError("FLOW_ARTIFACT_UNSERIALISABLE", {
    message: `Cannot save ${path}: ${refusal.reason}`,
    ...(refusal.hint === undefined ? {} : { hint: refusal.hint }),
    ...(refusal.cause === undefined ? {} : { cause: refusal.cause }),
    context: { path },
  });
}
