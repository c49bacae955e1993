import { FlowError } from "../errors/flow-error.ts";
import { parseByteSize } from "../util/byte-size.ts";
import type { Environment } from "./config.ts";

/**
 * How many bytes of values of a bucket are kept on this machine, as `MILLRACE_CACHE_BYTES` says: a size with its unit, or a number
 * of bytes. Undefined where it says nothing.
 *
 * @throws FlowError FLOW_CONFIG_BAD_CACHE
 */
export function cacheBytesOf({ MILLRACE_CACHE_BYTES: text = "" }: Environment): number | undefined {
  if (text === "") return undefined;
  const bytes = parseByteSize(/^\d+$/.test(text) ? `${text}B` : text);
  if (bytes !== undefined && Number.isSafeInteger(bytes)) return bytes;
  throw new FlowError("FLOW_CONFIG_BAD_CACHE", {
    message: `Cannot take MILLRACE_CACHE_BYTES=${JSON.stringify(text)}: it is no size`,
    hint: 'Write a number of bytes, or one with a unit, such as "20GB"',
    context: { value: text },
  });
}
