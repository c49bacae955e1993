import { isFlowError } from "../errors/flow-error.ts";

/** Wrong bytes may come of the way: so often an object is read before it counts as damaged. */
const READS = 3;

/**
 * Reads what must be whole, and reads it again where it was not.
 *
 * @param read must begin anew with each call
 * @throws as `read`, of its last try
 */
export async function readAgain<T>(read: () => Promise<T>): Promise<T> {
  for (let reads = 1; ; reads++) {
    try {
      return await read();
    } catch (error) {
      if (reads >= READS || !mayPass(error)) throw error;
    }
  }
}

/** A wrong byte may also stand in the number of the format. */
function mayPass(error: unknown): boolean {
  if (isFlowError(error, "FLOW_PUBLISH_NEWER_FORMAT")) return true;
  return isFlowError(error, "FLOW_PUBLISH_DAMAGED") && error.context.isMissing !== true;
}
