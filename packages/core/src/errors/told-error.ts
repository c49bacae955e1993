import { type FlowError, isFlowError, type SerializedError, serializeError } from "./flow-error.ts";

/** An error as records keep it: the frames of Millrace's own errors help nobody, but for those of its defects. */
export function toldError(thrown: unknown): SerializedError {
  if (isFlowError(thrown) && thrown.code !== "FLOW_INTERNAL") return serializeError(thrown, () => undefined);
  return serializeError(thrown);
}

/** Whether a store does not keep what it is given: then the run that was to be kept there has failed, and may go on later. */
export function isStoreFault(thrown: unknown): thrown is FlowError {
  return isFlowError(thrown) && thrown.code.startsWith("FLOW_STORAGE_");
}
