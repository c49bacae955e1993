/** Whether predictions are those that were kept: numbers within a tolerance, everything else equal. */

/** The first thing that differs, or the largest difference of numbers. */
export interface OutputDifference {
  /** Where: `[3].label`. */
  readonly path: string;
  readonly expected: unknown;
  readonly actual: unknown;
  /** Distance as a share of the expected number, absolutely below 1; infinite when it is no matter of numbers. */
  readonly distance: number;
}

/** The largest difference of two outputs; undefined when they are equal to the last bit. */
export function largestDifference(expected: unknown, actual: unknown, path = ""): OutputDifference | undefined {
  if (typeof expected === "number" && typeof actual === "number") {
    if (Object.is(expected, actual) || expected === actual) return undefined;
    const distance = Math.abs(expected - actual) / Math.max(1, Math.abs(expected));
    return { path, expected, actual, distance: Number.isFinite(distance) ? distance : Number.POSITIVE_INFINITY };
  }
  const other = { path, expected, actual, distance: Number.POSITIVE_INFINITY };
  if (expected === null || actual === null || typeof expected !== "object" || typeof actual !== "object")
    return Object.is(expected, actual) ? undefined : other;
  if (isList(expected) !== isList(actual)) return other;
  if (isList(expected) && isList(actual) && expected.length !== actual.length)
    return {
      path: `${path}.length`,
      expected: expected.length,
      actual: actual.length,
      distance: Number.POSITIVE_INFINITY,
    };
  const keys = Object.keys(expected);
  const added = Object.keys(actual).find((key) => !Object.hasOwn(expected, key));
  if (added !== undefined) return { ...other, path: `${path}.${added}`, expected: undefined };
  let largest: OutputDifference | undefined;
  for (const key of keys) {
    const [one, two] = [expected, actual].map((object) => (object as Readonly<Record<string, unknown>>)[key]);
    const found = largestDifference(one, two, isList(expected) ? `${path}[${key}]` : `${path}.${key}`);
    if (found !== undefined && (largest === undefined || found.distance > largest.distance)) largest = found;
  }
  return largest;
}

function isList(value: object): value is ArrayLike<unknown> & object {
  return Array.isArray(value) || ArrayBuffer.isView(value);
}
