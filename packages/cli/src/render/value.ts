/**
 * A stored value for people and as JSON. For people: bounded, as `util.inspect` shows it, stored instances by their stored
 * name. As JSON: everything that JSON cannot hold is written in the nearest form and noted with its path, so that nobody
 * takes the text for the value.
 */
import { inspect } from "node:util";

/** Bounds of the readable form; `-o FILE` gives the whole. */
const LIMITS = { depth: 5, maxArrayLength: 30, maxStringLength: 2_000 } as const;

/** The value as a person reads it. */
export function renderValue(value: unknown, style: { readonly colours: boolean; readonly width: number }): string {
  return inspect(value, {
    ...LIMITS,
    colors: style.colours,
    breakLength: Number.isFinite(style.width) ? Math.max(40, style.width) : 120,
    compact: 3,
    sorted: false,
    getters: false,
    showProxy: false,
  });
}

/** What could not be written as JSON at a path. */
export interface JsonNote {
  /** `$.fold[3].at`; `$` is the value itself. */
  readonly path: string;
  readonly was: string;
}

/** What files and folders that are artifacts are known by, whichever copy of core made them. */
const FILE = Symbol.for("millrace.file-content@1");
/** Notes kept for one value; a NaN in each of a million rows says nothing new after the first. */
const MAX_NOTES = 20;
const MAX_DEPTH = 500;

/** The value in JSON's terms with notes on what was changed. Never throws; cycles are cut and noted. */
export function jsonSafe(value: unknown): {
  readonly value: unknown;
  readonly notes: readonly JsonNote[];
  readonly isExact: boolean;
} {
  const notes: JsonNote[] = [];
  let isExact = true;
  const open = new Set<object>();
  const note = (path: string, was: string): void => {
    isExact = false;
    if (notes.length < MAX_NOTES) notes.push({ path, was });
  };
  const convert = (item: unknown, path: string): unknown => {
    switch (typeof item) {
      case "string":
        if (!item.isWellFormed()) note(path, "text that is not well-formed Unicode");
        return item;
      case "boolean":
        return item;
      case "number":
        if (Number.isFinite(item) && !Object.is(item, -0)) return item;
        note(path, Object.is(item, -0) ? "-0" : String(item));
        return Number.isFinite(item) ? 0 : null;
      case "bigint":
        note(path, "bigint");
        return item.toString();
      case "object":
        break;
      default:
        note(path, typeof item);
        return null;
    }
    if (item === null) return null;
    if (open.has(item) || open.size >= MAX_DEPTH) {
      note(path, open.has(item) ? "a reference to a value that it is part of" : `nested deeper than ${MAX_DEPTH}`);
      return null;
    }
    open.add(item);
    const converted = convertObject(item, path, convert, note);
    open.delete(item);
    return converted;
  };
  return {
    value: convert(value, "$"),
    notes,
    get isExact() {
      return isExact;
    },
  };
}

type Convert = (item: unknown, path: string) => unknown;

function convertObject(
  item: object,
  path: string,
  convert: Convert,
  note: (path: string, was: string) => void,
): unknown {
  if (Array.isArray(item)) {
    // Array.from reads holes as undefined, which is what JSON.stringify would do silently.
    return Array.from(item, (element, index) => convert(element, `${path}[${index}]`));
  }
  if (item instanceof Date) {
    note(path, "Date");
    return Number.isNaN(item.getTime()) ? null : item.toISOString();
  }
  if (item instanceof Map) {
    note(path, "Map");
    return Array.from(item, ([key, value], index) => [
      convert(key, `${path}[${index}][0]`),
      convert(value, `${path}[${index}][1]`),
    ]);
  }
  if (item instanceof Set) {
    note(path, "Set");
    return Array.from(item, (value, index) => convert(value, `${path}[${index}]`));
  }
  if (item instanceof RegExp || item instanceof URL) {
    note(path, item.constructor.name);
    return String(item);
  }
  if (item instanceof Error) {
    note(path, item.name);
    return { name: item.name, message: item.message };
  }
  if (item instanceof ArrayBuffer || item instanceof Uint8Array || item instanceof DataView) {
    const bytes =
      item instanceof ArrayBuffer ? Buffer.from(item) : Buffer.from(item.buffer, item.byteOffset, item.byteLength);
    note(path, `${item.constructor.name}, here in base64`);
    return bytes.toString("base64");
  }
  if (ArrayBuffer.isView(item)) {
    note(path, item.constructor.name);
    return Array.from(item as unknown as ArrayLike<number | bigint>, (element, index) =>
      convert(element, `${path}[${index}]`),
    );
  }
  if (FILE in item) return (item as unknown as { toJSON(): unknown }).toJSON(); // What it is, as exact as its name, digest and size.
  const prototype = Object.getPrototypeOf(item) as object | null;
  if (prototype !== null && prototype !== Object.prototype)
    note(path, item.constructor?.name ?? "an object with a prototype");
  // fromEntries defines properties, so that a key "__proto__" stays a key.
  return Object.fromEntries(Object.entries(item).map(([key, value]) => [key, convert(value, `${path}.${key}`)]));
}
