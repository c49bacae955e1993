/**
 * Values of others as plain data. What a user puts into an error is stored as JSON and sent between threads, and neither
 * takes everything: a BigInt makes `JSON.stringify` throw, a function makes a structured clone throw. Nothing here throws
 * and no getter, `toJSON` or inspect hook of the value is run.
 */
import { inspect } from "node:util";

/** An error's text is shown and stored: a 50 MB message must not take the store with it. */
export const MAX_TEXT = 64 * 1024;
const MAX_DEPTH = 8;
/** Values in one piece of data; the rest is left out. */
const MAX_VALUES = 10_000;
/** Characters of all texts of one piece of data. */
const MAX_ALL_TEXT = 4 * MAX_TEXT;

/**
 * The value as JSON can hold it: BigInt, symbols, functions and numbers that JSON lacks become text, instances the plain
 * object of their own fields, what is nested too deep, a cycle or too much a text that says so.
 */
export function plainData(value: unknown): unknown {
  const open = new Set<object>();
  let values = 0;
  let characters = 0;
  const text = (whole: string): string => {
    const kept = clip(whole, Math.max(0, Math.min(MAX_TEXT, MAX_ALL_TEXT - characters)));
    characters += kept.length;
    return kept;
  };
  const convert = (item: unknown): unknown => {
    values++;
    if (item === null || typeof item === "boolean" || item === undefined) return item;
    if (typeof item === "string") return text(item);
    if (typeof item === "number") return Number.isFinite(item) ? item : String(item);
    if (typeof item !== "object") return text(describeValue(item));
    if (open.has(item)) return "[a cycle]";
    if (open.size >= MAX_DEPTH) return text(describeValue(item));
    open.add(item);
    const converted = convertObject(item);
    open.delete(item);
    return converted;
  };
  const convertObject = (item: object): unknown => {
    try {
      if (Array.isArray(item)) {
        const kept = item.slice(0, Math.max(0, MAX_VALUES - values)).map(convert);
        return kept.length < item.length ? [...kept, `[${item.length - kept.length} more left out]`] : kept;
      }
      if (item instanceof Date) return Number.isNaN(item.getTime()) ? "Invalid Date" : item.toISOString();
      if (item instanceof Error) return { name: text(String(item.name)), message: text(String(item.message)) };
      if (!hasFields(item)) return text(describeValue(item));
      const entries: [string, unknown][] = [];
      for (const [key, property] of Object.entries(Object.getOwnPropertyDescriptors(item))) {
        if (property.enumerable !== true) continue;
        if (values >= MAX_VALUES) {
          entries.push(["…", "[more left out]"]);
          break;
        }
        entries.push([text(key), "value" in property ? convert(property.value) : "[a getter]"]);
      }
      return Object.fromEntries(entries); // Defines properties, so that a key "__proto__" stays a key.
    } catch {
      return "[unreadable]"; // A revoked proxy, or a field that throws when it is read.
    }
  };
  return convert(value);
}

/** A value in a few words, bounded, as `util.inspect` shows it; a text stands in quotes. */
export function describeValue(value: unknown): string {
  try {
    if (typeof value === "string") return JSON.stringify(value.length > 1000 ? `${value.slice(0, 1000)}…` : value);
    if (typeof value === "bigint") return String(value);
    const shown = inspect(value, {
      depth: 2,
      maxArrayLength: 20,
      maxStringLength: 200,
      breakLength: Number.POSITIVE_INFINITY,
      customInspect: false,
      getters: false,
      showProxy: false,
    });
    return clip(shown, 2000);
  } catch {
    return "a value that cannot be read";
  }
}

/** A text of at most `limit` characters, with a note on what was cut. */
export function clip(text: string, limit: number = MAX_TEXT): string {
  return text.length <= limit ? text : `${text.slice(0, limit)}… (${text.length} characters, cut)`;
}

/** Whether an object is described by its own fields; a Map, bytes and the like are not. */
function hasFields(item: object): boolean {
  return Object.prototype.toString.call(item) === "[object Object]" && !ArrayBuffer.isView(item);
}
