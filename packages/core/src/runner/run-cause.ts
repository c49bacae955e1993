import { FlowError, type SerializedError } from "../errors/flow-error.ts";
import type { RunEnd } from "./run-driver-options.ts";

/** Why a run ends without success: whatever came first. */
export type RunCause =
  | {
      readonly kind: "failed";
      /** Undefined where it was the store. */
      readonly task?: string;
      readonly error: SerializedError;
    }
  | { readonly kind: "cancelled"; readonly reason: string };

/** The cause that somebody who cancels a run gives, by whatever they abort with. */
export function cancelled(reason: unknown): RunCause {
  const text = typeof reason === "string" ? reason : reason instanceof Error ? reason.message : "the run was cancelled";
  return { kind: "cancelled", reason: text };
}

/** What those are told who are stopped because of it. */
export function reasonOf(cause: RunCause | undefined): string {
  if (cause === undefined) return "the run was cancelled";
  return cause.kind === "failed" ? `${cause.task ?? "the store"} failed` : cause.reason;
}

/** How a run ends by its cause. */
export function endBy(cause: RunCause): Pick<RunEnd, "status" | "failure"> {
  if (cause.kind === "cancelled") return { status: "cancelled" };
  const { task, error } = cause;
  return { status: "failed", failure: { ...(task === undefined ? {} : { task }), error } };
}

/** A run that has nothing left to do, and is not where it ends. */
export function noEnd(run: string, end: string): FlowError {
  return new FlowError("FLOW_INTERNAL", { message: `${run} has nothing left to run but did not reach "${end}"` });
}
