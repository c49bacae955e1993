import { totalmem } from "node:os";
import { FlowError } from "../errors/flow-error.ts";
import { parseByteSize } from "../util/byte-size.ts";
import type { Environment } from "./config.ts";

/** What a run keeps of large arrays: a quarter leaves room for the copies that its tasks have, and for the tasks' own work. */
const DEFAULT_SHARE = 1 / 4;

/**
 * How many bytes of large arrays a run keeps in shared memory: what `MILLRACE_SHARED_MEMORY` says, else a quarter of the
 * memory that the machine has or the container may use.
 *
 * @throws FlowError FLOW_RUNNER_BAD_SHARED_MEMORY
 */
export function sharedMemoryBytes(
  { MILLRACE_SHARED_MEMORY: text = "" }: Environment,
  memoryBytes: number = availableBytes(),
): number {
  if (text === "") return Math.floor(memoryBytes * DEFAULT_SHARE);
  const bytes = parseByteSize(text);
  if (bytes !== undefined) return bytes;
  throw new FlowError("FLOW_RUNNER_BAD_SHARED_MEMORY", {
    message: `Cannot take MILLRACE_SHARED_MEMORY=${JSON.stringify(text)}: it is no size`,
    hint: 'Write a number and a unit, such as "2GB"; "0B" keeps no arrays',
    context: { value: text },
  });
}

/** Without a limit, the system says 0 or a number beyond all memory. */
function availableBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}
