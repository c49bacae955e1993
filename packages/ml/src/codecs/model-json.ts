/**
 * JSON for files of models: what `JSON.stringify` writes, but nothing is lost in silence. Infinities are written as
 * numbers beyond all bounds (`1e999`), which every reader of JSON takes for infinity, and -0 as it is.
 */
import { MlError } from "../ml-error.ts";

/** Deeper values are no models, and reading them would end in an overflow of the stack. */
const MAX_DEPTH = 2000;

/**
 * A value as the bytes of a JSON file. Keys keep their order: it is part of what the library gave.
 *
 * @throws MlError ML_MODEL_NOT_STORABLE for NaN, functions, symbols, big integers and cycles, with the path
 */
export function modelJson(value: unknown): Uint8Array {
  const parts: string[] = [];
  write(value, "$", 0, parts);
  return new TextEncoder().encode(parts.join(""));
}

/**
 * The value of a JSON file.
 *
 * @throws SyntaxError, TypeError when the bytes are no JSON in UTF-8
 */
export function parseModelJson(bytes: Uint8Array | undefined): unknown {
  if (bytes === undefined) throw new TypeError("the file is missing");
  return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
}

function write(given: unknown, path: string, depth: number, parts: string[]): void {
  if (depth > MAX_DEPTH) throw refused(path, "is nested too deeply or holds itself");
  const value = withToJson(given);
  switch (typeof value) {
    case "number":
      parts.push(numberText(value, path));
      return;
    case "string":
    case "boolean":
      parts.push(JSON.stringify(value));
      return;
    case "object":
      break;
    default:
      throw refused(path, `is a ${typeof value}`);
  }
  if (value === null) {
    parts.push("null");
  } else if (Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView))) {
    parts.push("[");
    for (let index = 0; index < (value as ArrayLike<unknown>).length; index++) {
      if (index > 0) parts.push(",");
      const item = (value as ArrayLike<unknown>)[index];
      if (item === undefined) parts.push("null");
      else write(item, `${path}[${index}]`, depth + 1, parts);
    }
    parts.push("]");
  } else {
    let separator = "{";
    for (const [key, item] of Object.entries(value)) {
      if (item === undefined) continue;
      parts.push(separator, JSON.stringify(key), ":");
      write(item, `${path}.${key}`, depth + 1, parts);
      separator = ",";
    }
    parts.push(separator === "{" ? "{}" : "}");
  }
}

function numberText(value: number, path: string): string {
  if (Number.isNaN(value)) throw refused(path, "is not a number (NaN)");
  if (!Number.isFinite(value)) return value > 0 ? "1e999" : "-1e999";
  return Object.is(value, -0) ? "-0" : String(value);
}

function withToJson(value: unknown): unknown {
  if (value === null || typeof value !== "object") return value;
  const { toJSON } = value as { readonly toJSON?: unknown };
  return typeof toJSON === "function" ? (toJSON as () => unknown).call(value) : value;
}

function refused(path: string, what: string): MlError {
  return new MlError("ML_MODEL_NOT_STORABLE", `Cannot write the model as JSON: ${path} ${what}`);
}
