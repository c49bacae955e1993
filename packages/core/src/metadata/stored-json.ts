import { FlowError } from "../errors/flow-error.ts";

/**
 * JSON out of a record. Nobody vouches for a store: a text that is no JSON, or JSON of another form than the schema says,
 * is damage with a name and not an error somewhere in the middle of what asked for it.
 *
 * @param what names the column, such as `run.environment`
 * @throws FlowError FLOW_METADATA_CORRUPT
 */
export function readObject<T>(text: string, what: string): T {
  const value = parse(text, what);
  if (isObject(value)) return value as T;
  throw corrupt(what, "no JSON object");
}

/** What an object must have at least: kinds of its fields, shapes of objects in them, or what they are asked. */
export type Shape = { readonly [field: string]: ShapeOf };
export type ShapeOf = "text" | "number" | "boolean" | "list" | Shape | ((value: unknown) => boolean);

/** As `readObject`, for one that is used in the middle of things: it has what it must have. */
export function readShaped<T>(text: string, what: string, shape: Shape): T {
  const value = readObject<T>(text, what);
  const missing = misfit(value, shape);
  if (missing === undefined) return value;
  throw corrupt(what, `an object without "${missing}"`);
}

/** Whether a value is of a shape. */
export function fits(value: unknown, shape: ShapeOf): boolean {
  if (typeof shape === "function") return shape(value);
  if (typeof shape === "object") return isObject(value) && misfit(value, shape) === undefined;
  return shape === "list" ? Array.isArray(value) : typeof value === (shape === "text" ? "string" : shape);
}

/** The first field that is not as it must be. */
function misfit(value: unknown, shape: Shape): string | undefined {
  const fields = value as Readonly<Record<string, unknown>>;
  for (const [field, kind] of Object.entries(shape)) {
    const found = Object.hasOwn(fields, field) ? fields[field] : undefined;
    if (fits(found, kind)) continue;
    const inner =
      typeof kind === "object" && typeof found === "object" && found !== null ? misfit(found, kind) : undefined;
    return inner === undefined ? field : `${field}.${inner}`;
  }
  return undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** As `readObject`, for a list, perhaps of things of one shape. */
export function readList<T>(text: string, what: string, shape?: ShapeOf): readonly T[] {
  const value = parse(text, what);
  if (!Array.isArray(value)) throw corrupt(what, "no JSON list");
  if (shape === undefined || value.every((item) => fits(item, shape))) return value as readonly T[];
  throw corrupt(what, "a list of things of another kind");
}

/** As `readList`, for a list of texts. */
export function readTexts(text: string, what: string): readonly string[] {
  const list = readList<unknown>(text, what);
  if (list.every((item) => typeof item === "string")) return list as readonly string[];
  throw corrupt(what, "a list of other things than texts");
}

/** Milliseconds of a column as a time; those that JavaScript cannot tell are damage too. */
export function readTime(ms: number, what: string): Date {
  const time = new Date(ms);
  if (!Number.isNaN(time.getTime())) return time;
  throw corrupt(what, "no time");
}

/**
 * The last row of a page, from which the next one goes on. A number that JavaScript cannot tell from its neighbours would begin
 * the same page again, for ever.
 */
export function readPlace(number: number, what: string): number {
  if (Number.isSafeInteger(number)) return number;
  throw corrupt(what, `${number}, a number that no row is given`);
}

function parse(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw corrupt(what, "no JSON", cause);
  }
}

function corrupt(what: string, held: string, cause?: unknown): FlowError {
  return new FlowError("FLOW_METADATA_CORRUPT", {
    message: `Cannot read the records: "${what}" holds ${held}`,
    hint: "Restore the store from a copy",
    context: { column: what, held },
    ...(cause === undefined ? {} : { cause }),
  });
}
