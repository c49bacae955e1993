/** What stands behind a tag: values of the language by number or by `js.` name, instances of registered classes. */
import { copied, type TypedArrayKind, typedArrayFrom, typedArrayKindByTag } from "../typed-arrays.ts";
import type { CborDecoder } from "./decode.ts";
import { decodeInstance } from "./decode-instance.ts";
import { defineData } from "./define-data.ts";
import { HOLE } from "./hole.ts";
import { Tagged } from "./kept-values.ts";
import { errorClasses, JS, MAJOR, RESERVED_NAME_PREFIX, SIMPLE, TAG } from "./tags.ts";
import { unsupportedType } from "./unsupported-type.ts";
import { decodeWtf8 } from "./wtf8.ts";

export function decodeTag(decoder: CborDecoder, tag: number): unknown {
  const opening = decoder.takeOpening();
  switch (tag) {
    case TAG.dateText:
      return validDate(decoder, new Date(text(decoder)));
    case TAG.date: {
      const seconds = decoder.value();
      return validDate(decoder, typeof seconds === "number" ? new Date(Math.round(seconds * 1000)) : undefined);
    }
    case TAG.positiveBigInt:
      return bigInt(decoder);
    case TAG.negativeBigInt:
      return -1n - bigInt(decoder);
    case TAG.instance: {
      if (decoder.headOf(MAJOR.array) !== 2) decoder.corrupt("tag 27 needs a name and data");
      const name = text(decoder);
      return name.startsWith(RESERVED_NAME_PREFIX)
        ? decodeNamed(decoder, name, opening)
        : decodeInstance(decoder, name, opening);
    }
    case TAG.reference:
      return decoder.referredValue();
    case TAG.hole:
      return decoder.byte() === SIMPLE.undefined ? HOLE : decoder.corrupt("tag 31 needs undefined");
    case TAG.url: {
      const href = text(decoder);
      return decoder.attempt("URL", () => new URL(href));
    }
    case TAG.set: {
      const set = new Set<unknown>();
      decoder.close(opening, set);
      decoder.members(set, decoder.headOf(MAJOR.array));
      return set;
    }
    case TAG.map: {
      const map = new Map<unknown, unknown>();
      decoder.close(opening, map);
      const count = decoder.headOf(MAJOR.map);
      decoder.claim(2 * count);
      decoder.entries(map, count);
      return map;
    }
    case TAG.wtf8:
      return decodeWtf8(bytes(decoder)) ?? decoder.corrupt("a text is not WTF-8");
    case TAG.regExp: {
      const count = decoder.headOf(MAJOR.array);
      if (count !== 1 && count !== 2) decoder.corrupt("a regular expression needs a source");
      const source = text(decoder);
      const flags = count === 2 ? text(decoder) : "";
      return decoder.attempt("regular expression", () => new RegExp(source, flags));
    }
  }
  const kind = typedArrayKindByTag(tag);
  if (kind !== undefined) return typedArray(decoder, kind, tag === kind.bigEndianTag);
  if (tag > Number.MAX_SAFE_INTEGER) decoder.corrupt("a tag is too large");
  const kept: { -readonly [K in keyof Tagged]: Tagged[K] } = new Tagged(tag, undefined);
  decoder.close(opening, kept);
  kept.value = decoder.value();
  return kept;
}

function decodeNamed(decoder: CborDecoder, name: string, opening: number): unknown {
  switch (name) {
    case JS.nullObject: {
      const object = Object.create(null) as Record<string, unknown>;
      decoder.close(opening, object);
      return decoder.object(decoder.headOf(MAJOR.map), object);
    }
    case JS.sparseArray:
      return sparseArray(decoder, opening);
    case JS.map: {
      const map = new Map<unknown, unknown>();
      decoder.close(opening, map);
      const count = decoder.headOf(MAJOR.array);
      if (count % 2 !== 0) decoder.corrupt("js.Map has a key without a value");
      decoder.claim(count);
      decoder.entries(map, count / 2);
      return map;
    }
    case JS.set: {
      const set = new Set<unknown>();
      decoder.close(opening, set);
      decoder.members(set, decoder.headOf(MAJOR.array));
      return set;
    }
    case JS.date: {
      const time = decoder.value();
      return typeof time === "number" ? new Date(time) : decoder.corrupt("js.Date needs a number");
    }
    case JS.dataView:
      return new DataView(copied(bytes(decoder)).buffer);
    case JS.arrayBuffer:
      return copied(bytes(decoder)).buffer;
    case JS.boxed: {
      const primitive = decoder.value();
      if (primitive === null || primitive === undefined || typeof primitive === "object")
        decoder.corrupt("js.Boxed needs a primitive");
      return Object(primitive);
    }
    case JS.error:
      return error(decoder, opening);
  }
  return decoder.corrupt(`it holds ${JSON.stringify(name.slice(0, 80))}, which this version does not know`);
}

function sparseArray(decoder: CborDecoder, opening: number): unknown[] {
  const count = decoder.headOf(MAJOR.array);
  decoder.claim(count);
  if (count % 2 !== 1) decoder.corrupt("js.Array has an index without a value");
  const array: unknown[] = [];
  decoder.close(opening, array);
  const length = decoder.value();
  if (typeof length !== "number" || !Number.isInteger(length) || length < count || length > 0xffff_ffff)
    decoder.corrupt("js.Array has no valid length");
  // Setting and deleting the last element leaves V8 with a dictionary: a length of four thousand million takes no memory.
  array[length - 1] = 0;
  delete array[length - 1];
  let last = -1;
  for (let read = 1; read < count; read += 2) {
    const index = decoder.value();
    if (typeof index !== "number" || !Number.isInteger(index) || index <= last || index >= length)
      decoder.corrupt("js.Array has no valid index");
    last = index;
    array[index] = decoder.value();
  }
  return array;
}

function error(decoder: CborDecoder, opening: number): Error {
  if (decoder.headOf(MAJOR.array) !== 5) decoder.corrupt("js.Error needs five parts");
  const [className, name, message, stack] = [text(decoder), anyText(decoder), anyText(decoder), anyText(decoder)];
  const ErrorClass = errorClasses.get(className) ?? decoder.corrupt("js.Error names no error class");
  const result = withoutStack(() =>
    className === "AggregateError" ? new AggregateError([], message) : new ErrorClass(message),
  );
  decoder.close(opening, result);
  if (result.name !== name) defineData(result, "name", name, false);
  defineData(result, "stack", stack, false);
  const count = decoder.headOf(MAJOR.map);
  decoder.claim(2 * count);
  for (let read = 0; read < count; read++) {
    const key = anyText(decoder);
    const value = decoder.value();
    defineData(result, key, value, key !== "cause" && key !== "errors");
  }
  return result;
}

/** The stack is replaced at once, and taking one costs more than the rest of the error. */
function withoutStack<T>(make: () => T): T {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = limit;
  }
}

function typedArray(decoder: CborDecoder, kind: TypedArrayKind, isBigEndian: boolean): unknown {
  const stored = bytes(decoder);
  if (stored.length % kind.width !== 0) decoder.corrupt(`a ${kind.name} ends inside an element`);
  return typedArrayFrom(stored, kind, { isBigEndian }) ?? unsupportedType(kind.name);
}

function bytes(decoder: CborDecoder): Buffer {
  return decoder.slice(decoder.headOf(MAJOR.bytes));
}

function text(decoder: CborDecoder): string {
  return decoder.text(decoder.headOf(MAJOR.text));
}

/** A text that may hold lone surrogates, and so stand behind tag 273. */
function anyText(decoder: CborDecoder): string {
  const value = decoder.value();
  return typeof value === "string" ? value : decoder.corrupt("a text was expected");
}

function bigInt(decoder: CborDecoder): bigint {
  const hex = bytes(decoder).toString("hex");
  return hex === "" ? 0n : decoder.attempt("integer", () => BigInt(`0x${hex}`));
}

function validDate(decoder: CborDecoder, date: Date | undefined): Date {
  return date === undefined || Number.isNaN(date.getTime()) ? decoder.corrupt("it holds no valid date") : date;
}
