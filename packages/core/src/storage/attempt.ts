/**
 * What stores behind a network and the wrapper that tries again agree on: which errors may pass, and how one call is tried
 * more than once.
 */
import { isFlowError } from "../errors/flow-error.ts";

/**
 * Does one call of a store, again where it failed in a way that may pass. What is thrown in the end says in
 * `context.tries` how often it was tried.
 *
 * @param verb what is done, for whoever counts: "put", "get", …
 * @param work is told the number of the try, from 1
 */
export type Attempt = <Result>(verb: string, work: (tryNumber: number) => Promise<Result>) => Promise<Result>;

/** Tries once: what stores do when nobody hands them another way. */
export const once: Attempt = (_verb, work) => work(1);

/** Whether the same call may succeed a moment later: the network, a limit of time, a service that is busy. */
export function isTransient(error: unknown): boolean {
  return isFlowError(error) && error.context.isTransient === true;
}
