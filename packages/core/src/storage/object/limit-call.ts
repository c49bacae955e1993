import { FlowError } from "../../errors/flow-error.ts";
import { type CallLimits, callLimitMs } from "../call-limits.ts";

/** What a call under limits is given. */
export interface LimitedCall {
  readonly signal: AbortSignal;
  /** Says that bytes came or went: the time of idling begins anew. */
  readonly progress: () => void;
  /** Says of how many bytes the value is: the whole call may take longer. `uncounted`: nobody will tell when they went. */
  readonly moving: (sizeBytes: number, counted?: "uncounted") => void;
}

/**
 * Does one call, and gives it up when a limit is reached, also when the client library does not listen. Connecting counts as
 * idling.
 *
 * @param action for the message: `Cannot read "k" of azure://container`
 * @throws FlowError FLOW_STORAGE_TIMEOUT, and what `work` throws
 */
export async function limitCall<T>(
  action: string,
  limits: CallLimits,
  work: (call: LimitedCall) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  let giveUp: (reason: string) => void = () => {};
  const reached = new Promise<never>((_, reject) => {
    giveUp = (reason) => {
      reject(timeoutError(action, reason));
      controller.abort();
    };
  });
  reached.catch(() => {}); // Nobody may be listening any more.
  const idle = timer((ms) => giveUp(`nothing came or went for ${ms / 1_000} s`));
  const whole = timer((ms) => giveUp(`it has taken ${ms / 1_000} s`));
  idle.set(limits.idleMs);
  whole.set(limits.callMs);
  const call: LimitedCall = {
    signal: controller.signal,
    progress: () => {
      if (!controller.signal.aborted) idle.set(limits.idleMs);
    },
    moving: (sizeBytes, counted) => {
      const ms = callLimitMs(limits, sizeBytes);
      whole.set(ms);
      if (counted === "uncounted") idle.set(limits.idleMs + ms - limits.callMs);
    },
  };
  try {
    return await Promise.race([work(call), reached]);
  } finally {
    controller.abort(); // What is still under way goes on for nobody.
    idle.clear();
    whole.clear();
  }
}

/** A timer that can be set anew; it is told for how long it was set. */
function timer(work: (ms: number) => void): { set(ms: number): void; clear(): void } {
  let running: NodeJS.Timeout | undefined;
  const clear = () => clearTimeout(running);
  return {
    set(ms) {
      clear();
      running = setTimeout(work, ms, ms);
    },
    clear,
  };
}

function timeoutError(action: string, reason: string): FlowError {
  return new FlowError("FLOW_STORAGE_TIMEOUT", {
    message: `${action}: ${reason}`,
    hint: "See that the service can be reached from here, by its endpoint and through proxies and firewalls",
    context: { isTransient: true },
  });
}
