import { setTimeout as waitFor } from "node:timers/promises";
import { FlowError, isFlowError } from "../../errors/flow-error.ts";
import { type Attempt, isTransient } from "../attempt.ts";

/** How often and how long a call is tried that fails in a way that may pass. */
export interface RetryPolicy {
  /** Tries in all. Default 5. */
  readonly tries: number;
  /** Before the second try it waits at most this long, before each further one at most twice as long; milliseconds. Default 100. */
  readonly baseMs: number;
  /** No wait is longer; milliseconds. Default 5,000. */
  readonly capMs: number;
  /** No further try begins when the call has taken this long with the wait before it; milliseconds. Default 180,000. */
  readonly limitMs: number;
}

export interface RetryOptions extends Partial<RetryPolicy> {
  /** Milliseconds of a clock that only goes forward. Default `performance.now`. */
  readonly now?: () => number;
  /** Numbers in [0, 1). Default `Math.random`: what it decides is nothing but who waits how long. */
  readonly random?: () => number;
  readonly wait?: (milliseconds: number) => Promise<unknown>;
  /** Is told of each try that failed and is followed by another one. */
  readonly onRetry?: (verb: string, error: FlowError) => void;
}

export const DEFAULT_RETRY_POLICY: RetryPolicy = Object.freeze({
  tries: 5,
  baseMs: 100,
  capMs: 5_000,
  limitMs: 180_000,
});

/**
 * Tries calls again with exponential backoff and full jitter: the waits of many that failed at once must not end at once. Only
 * what says that it may pass is tried again, and nothing that was tried again before.
 *
 * @see "Exponential Backoff And Jitter", AWS Architecture Blog, 2015
 */
export function retrying(options: RetryOptions = {}): Attempt {
  const { tries, baseMs, capMs, limitMs } = { ...DEFAULT_RETRY_POLICY, ...options };
  const { now = () => performance.now(), random = Math.random, wait = waitFor, onRetry } = options;
  return async (verb, work) => {
    const end = now() + limitMs;
    for (let tryNumber = 1; ; tryNumber++) {
      try {
        return await work(tryNumber);
      } catch (error) {
        if (!isFlowError(error) || !isTransient(error) || error.context.tries !== undefined) throw error;
        const pauseMs = random() * Math.min(capMs, baseMs * 2 ** (tryNumber - 1));
        if (tryNumber >= tries || now() + pauseMs > end) throw triedEnough(error, tryNumber);
        onRetry?.(verb, error);
        await wait(pauseMs);
      }
    }
  };
}

/** The same error, which says how often it was tried and is not tried again by who else tries again. */
export function triedEnough(error: FlowError, tries: number): FlowError {
  const { code, message, hint, context, cause } = error;
  return new FlowError(code, {
    message: tries === 1 ? message : `${message}; tried ${tries} times`,
    ...(hint === undefined ? {} : { hint }),
    context: { ...context, tries },
    ...(cause === undefined ? {} : { cause }),
  });
}
