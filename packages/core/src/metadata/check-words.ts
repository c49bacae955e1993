import { FlowError } from "../errors/flow-error.ts";

/**
 * Bytes of a reason, of a name of who acts and where, or of all names in a policy. Far more than anybody types, and so little that what tells of it
 * in a bucket is no line that nobody could read, however its characters are written there.
 */
export const MAX_WORDS_BYTES = 256 * 1024;

/**
 * Refuses words that are too long to be kept of who did something, and why.
 *
 * @param action what cannot be done, e.g. `move tags`
 * @throws FlowError FLOW_METADATA_BAD_ARGUMENT
 */
export function checkWords(
  action: string,
  by: { readonly actor?: string; readonly host?: string; readonly reason?: string | undefined },
): void {
  for (const name of ["reason", "actor", "host"] as const) {
    const bytes = Buffer.byteLength(by[name] ?? "");
    if (bytes > MAX_WORDS_BYTES)
      throw new FlowError("FLOW_METADATA_BAD_ARGUMENT", {
        message: `Cannot ${action}: the ${name} has ${bytes} bytes, the limit is ${MAX_WORDS_BYTES}`,
        hint: name === "reason" ? "Say it shorter, and name a place where the rest stands" : "Use a shorter name",
      });
  }
}
