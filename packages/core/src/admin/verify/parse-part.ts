import { FlowError } from "../../errors/flow-error.ts";

/** More than any store needs, and little enough that the first eight digits of a digest spread evenly over them. */
const MAX_PARTS = 100_000;

/**
 * `2/5`, the second of five parts, as `[2, 5]`.
 *
 * @throws FlowError FLOW_CLIENT_BAD_QUERY
 */
export function parsePart(text: string): readonly [part: number, parts: number] {
  const match = /^(\d{1,6})\/(\d{1,6})$/.exec(text.trim());
  const [part, parts] = [Number(match?.[1]), Number(match?.[2])];
  if (match !== null && part >= 1 && part <= parts && parts <= MAX_PARTS) return [part, parts];
  throw new FlowError("FLOW_CLIENT_BAD_QUERY", {
    message: `Cannot read the part "${text}" of the data`,
    hint: `Write n/t, such as 1/5 for the first of five parts, with 1 <= n <= t <= ${MAX_PARTS}`,
    context: { part: text },
  });
}
