/**
 * The functions in the behaviour of steps, which stay with the class: how many retries the parameters ask for, and which
 * failures are worth another attempt.
 */
import { FlowError } from "../errors/flow-error.ts";
import { bindFlow } from "./bind-flow.ts";
import { lazyFields } from "./bound-flow.ts";
import type { FlowClass, TaskFailure } from "./public-types.ts";
import { stepFactsOf } from "./step-facts.ts";

export interface LateBehaviour {
  /** Attempts after the first, where a function of the parameters decides. */
  readonly retries?: number;
  /** Whether a failure is worth another attempt. */
  readonly isWorthRetry?: (failure: TaskFailure) => boolean;
}

/**
 * What functions say about the behaviour of steps, by step; steps without functions are left out.
 *
 * @param fields the resolved parameters, configs and files
 * @throws FlowError FLOW_DEFINITION_BAD_LATE_RETRY when a function throws or gives anything but a whole number
 */
export function lateBehaviourOf(
  flowClass: FlowClass,
  fields: readonly { readonly name: string; readonly value: unknown }[],
): ReadonlyMap<string, LateBehaviour> {
  const late = new Map<string, LateBehaviour>();
  let flow: object | undefined;
  for (const { name, options } of stepFactsOf(flowClass).steps) {
    const { retry } = options;
    if (typeof retry === "function") {
      flow ??= boundTo(flowClass, fields);
      late.set(name, { retries: countOf(flowClass.name, name, retry as (flow: object) => unknown, flow) });
    } else if (typeof retry === "object" && retry !== null && "when" in retry && typeof retry.when === "function") {
      const when = retry.when as (failure: TaskFailure) => unknown;
      late.set(name, { isWorthRetry: (failure) => when(failure) === true });
    }
  }
  return late;
}

function boundTo(flowClass: FlowClass, fields: readonly { readonly name: string; readonly value: unknown }[]): object {
  const values = Object.fromEntries(fields.map((field) => [field.name, () => field.value]));
  const signal = new AbortController().signal;
  return bindFlow(flowClass, {
    values: lazyFields(values),
    inputs: lazyFields({}),
    onRead: () => {},
    signal,
    merge: () => {},
  }).flow;
}

function countOf(flow: string, step: string, read: (flow: object) => unknown, bound: object): number {
  let count: unknown;
  try {
    count = read(bound);
  } catch (cause) {
    throw badRetry(flow, step, `the function threw: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  if (typeof count === "number" && Number.isSafeInteger(count) && count >= 0) return count;
  throw badRetry(flow, step, `the function gave ${String(count)} instead of a whole number from 0`);
}

function badRetry(flow: string, step: string, why: string, cause?: unknown): FlowError {
  return new FlowError("FLOW_DEFINITION_BAD_LATE_RETRY", {
    message: `Cannot tell how often step "${step}" of ${flow} is tried again: ${why}`,
    hint: "Let it return a number, and read parameters and configs only",
    context: { flow, step },
    ...(cause === undefined ? {} : { cause }),
  });
}
