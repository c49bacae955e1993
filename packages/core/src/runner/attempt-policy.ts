/**
 * How the tasks of one step are run in this run: what the step or `--with` asked for, with functions and secrets resolved.
 * And what follows from a failure, as a pure function: another attempt, a caught failure, or the end.
 */
import type { RetryBehaviour } from "../flow/definition.ts";
import type { TaskFailure } from "../flow/public-types.ts";
import type { CachePlan } from "./cache-basis.ts";
import type { Placement } from "./protocol.ts";

export interface AttemptPolicy {
  readonly retry?: RetryPlan;
  readonly timeoutMs?: number;
  /** The field that receives the failure when no attempt is left. */
  readonly catch?: string;
  /** Where tasks run, unless any worker thread will do. */
  readonly placement?: Placement;
  readonly maxParallel?: number;
  readonly cache?: CachePlan;
}

export interface RetryPlan extends Pick<RetryBehaviour, "times" | "delayMs" | "factor" | "maxDelayMs" | "jitter"> {
  readonly isWorthRetry?: (failure: TaskFailure) => boolean;
}

/** What a failed attempt leads to. */
export type Verdict =
  | { readonly kind: "retry"; readonly delayMs: number }
  | { readonly kind: "catch"; readonly field: string }
  | { readonly kind: "fail" };

/**
 * @param attempt number of the attempt that failed in this execution of the run, from 1
 * @param random a number in [0, 1), for the jitter
 */
export function afterFailure(
  policy: AttemptPolicy,
  attempt: number,
  failure: TaskFailure,
  random: () => number,
): Verdict {
  const { retry } = policy;
  if (retry !== undefined && attempt <= retry.times && (retry.isWorthRetry?.(failure) ?? true))
    return { kind: "retry", delayMs: delayBefore(retry, attempt, random) };
  return policy.catch === undefined ? { kind: "fail" } : { kind: "catch", field: policy.catch };
}

/** The wait after an attempt: grows by `factor`, up to `maxDelayMs`, and is shortened at random by up to `jitter` of it. */
function delayBefore(retry: RetryPlan, attempt: number, random: () => number): number {
  const full = Math.min(retry.maxDelayMs, retry.delayMs * retry.factor ** (attempt - 1));
  return Math.round(full * (1 - retry.jitter * random()));
}
