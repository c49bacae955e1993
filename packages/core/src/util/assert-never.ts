import { FlowError } from "../errors/flow-error.ts";

/** Ends a `switch` over a union: the compiler refuses a case left out, and at run time it is our bug. */
export function assertNever(value: never): never {
  throw new FlowError("FLOW_INTERNAL", { message: `Unexpected variant ${JSON.stringify(value)}` });
}
