/**
 * What the result of an attempt means, before it is recorded: it is settled as it is, it is tried again, its failure is
 * caught, or it is one after all (a step that was too slow, a loop with too many rounds).
 */
import { type Problem, type SerializedError, serializeError } from "../errors/flow-error.ts";
import { type AttemptPolicy, afterFailure, type Verdict } from "./attempt-policy.ts";
import type { Flight } from "./dispatcher.ts";
import type { TaskResult, TaskYield } from "./protocol.ts";
import type { ReadyTask, Scheduler } from "./scheduler/scheduler.ts";
import { failureOf, timeoutError } from "./task-failure.ts";

/** A result that waits to be committed, and what follows from it. */
export interface Settlement {
  readonly kind: "settlement";
  readonly result: TaskResult;
  /** Of a failed attempt. */
  readonly verdict?: Verdict;
  /** Of a caught failure. */
  readonly caught?: { readonly field: string; readonly error: SerializedError };
}

/** The last attempt has failed, and its step catches: the task is sent once more, to leave its failure behind. */
export interface Fallback {
  readonly kind: "fallback";
  readonly failed: TaskResult;
}

export interface JudgeOptions {
  readonly scheduler: Pick<Scheduler, "refusal">;
  readonly policies: ReadonlyMap<string, AttemptPolicy>;
  /** Attempts at a task in this execution of the run. */
  readonly triesOf: (task: ReadyTask) => number;
  readonly random: () => number;
  readonly warn: (warning: Problem) => void;
}

const NO_POLICY: AttemptPolicy = {};

export class Judge {
  readonly #options: JudgeOptions;

  constructor(options: JudgeOptions) {
    this.#options = options;
  }

  /** @param isStopping whether the run ends anyway: then nothing is tried again or caught */
  judge(flight: Flight, task: ReadyTask, reported: TaskResult, isStopping: boolean): Settlement | Fallback {
    const policy = this.#options.policies.get(flight.step) ?? NO_POLICY;
    const { timeoutMs } = policy;
    const isLate = flight.isTimedOut && timeoutMs !== undefined && !isStopping;
    const result = isLate ? failed(reported, timeoutError(flight.step, timeoutMs)) : reported;
    if (flight.failed !== undefined) return this.#settleFallback(flight.failed, result, policy.catch!);
    const { outcome } = result;
    if (outcome.kind === "cancelled") return { kind: "settlement", result };
    if (outcome.kind !== "failed") return this.#settle(result, outcome);
    const verdict = isStopping ? ({ kind: "fail" } as const) : this.#verdict(policy, task, outcome.error);
    if (verdict.kind === "catch") return { kind: "fallback", failed: result };
    return { kind: "settlement", result, verdict };
  }

  /** A choice that begins one round too many has failed, before anything is recorded of it. */
  #settle(result: TaskResult, outcome: TaskYield, caught?: Settlement["caught"]): Settlement {
    const refusal = this.#options.scheduler.refusal(result.sequence, outcome);
    if (refusal === undefined) return { kind: "settlement", result, ...(caught === undefined ? {} : { caught }) };
    const { stack: _, ...error } = serializeError(refusal); // Its frames are Millrace's own.
    return { kind: "settlement", result: failed(result, error), verdict: { kind: "fail" } };
  }

  /** The fallback of a failed task came back: its failure is caught, unless that failed as well. */
  #settleFallback(failed: TaskResult, result: TaskResult, field: string): Settlement {
    const { startedAt, durationMs, reads } = failed;
    const logs = [...failed.logs, ...result.logs];
    const whole = { ...withReads(result, failed), startedAt, durationMs, reads, logs };
    if (result.outcome.kind === "caught" && failed.outcome.kind === "failed")
      return this.#settle(whole, result.outcome, { field, error: failed.outcome.error });
    return { kind: "settlement", result: whole, verdict: { kind: "fail" } };
  }

  #verdict(policy: AttemptPolicy, task: ReadyTask, error: SerializedError): Verdict {
    const { triesOf, random, warn } = this.#options;
    try {
      const tries = triesOf(task);
      return afterFailure(policy, tries, failureOf(error, tries), random);
    } catch (thrown) {
      const text = thrown instanceof Error ? thrown.message : String(thrown);
      warn({
        code: "FLOW_RUNNER_RETRY_CONDITION",
        message: `The retry condition of step "${task.step}" threw, so its task was not tried again: ${text}`,
        hint: "Let it return true or false",
      });
      return policy.catch === undefined ? { kind: "fail" } : { kind: "catch", field: policy.catch };
    }
  }
}

/** Task numbers that acting on these results can ask for at most. */
export function numbersNeeded(settlements: readonly Settlement[], scheduler: Pick<Scheduler, "numbersFor">): number {
  let settled = 0;
  let fanOut = 0;
  for (const { result, verdict } of settlements) {
    const { outcome } = result;
    if (outcome.kind === "cancelled" || (outcome.kind === "failed" && verdict?.kind !== "retry")) continue;
    settled++;
    if (outcome.kind !== "failed") fanOut += outcome.fanOut ?? 0;
  }
  return settled === 0 ? 0 : scheduler.numbersFor(settled, fanOut);
}

/** What the failed attempt read counts, for its failure came of it; of one whose worker was lost nobody knows. */
function withReads(result: TaskResult, failed: TaskResult): TaskResult {
  const { valueReads, ...rest } = result;
  if (valueReads === undefined || failed.valueReads === undefined) return rest;
  return { ...rest, valueReads: [...new Set([...failed.valueReads, ...valueReads])] };
}

/** An attempt that has failed after all: nothing of what it left is kept. */
function failed(result: TaskResult, error: SerializedError): TaskResult {
  return { ...result, blobs: [], outcome: { kind: "failed", error } };
}
