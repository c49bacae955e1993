/**
 * Values to deterministic CBOR (docs/formats/encoding.md).
 *
 * One pass, each value before its parts. Invariants: equal values give equal
 * bytes whatever V8 did to them before; what cannot be kept is refused with its path, never changed or dropped; no
 * method of the value runs but the getters of plain objects and the codecs of registered classes. This file walks
 * primitives, plain objects and arrays; `encode-builtins.ts` the other objects of the language; `byte-writer.ts` knows
 * the bytes.
 */
import { types } from "node:util";
import { isFlowError } from "../../errors/flow-error.ts";
import { type Refusal, unserialisable } from "../unserialisable.ts";
import { ByteWriter } from "./byte-writer.ts";
import { encodeBuiltin } from "./encode-builtins.ts";
import { hasExtraProperties } from "./extra-properties.ts";
import { JS, MAJOR, MAX_DEPTH, SIMPLE, TAG } from "./tags.ts";
import { PLACE, type Place, pathPart } from "./value-path.ts";

export interface CborEncodeOptions {
  /** What messages call the value; default `this`. */
  readonly path?: string;
  /** Refuse larger encodings; bytes, no limit unless given. */
  readonly maxBytes?: number;
}

/**
 * The encoding of a value, as chunks to be read one after another.
 *
 * Byte strings of 64 KiB and more are views of the caller's memory: hash or write them before changing it.
 *
 * @throws FlowError FLOW_ARTIFACT_UNSERIALISABLE, FLOW_ARTIFACT_TOO_LARGE, FLOW_ARTIFACT_CODEC_FAILED
 * @see RFC 8949 section 4.2.1, and docs/formats/encoding.md for the three points where it is left
 */
export function encodeCbor(value: unknown, options: CborEncodeOptions = {}): readonly Uint8Array[] {
  // A codec may save something on its own while it encodes: that call gets an encoder of its own.
  const encoder = idle ?? new CborEncoder(4096);
  idle = undefined;
  try {
    return encoder.run(value, options.path ?? "this", options.maxBytes ?? Number.POSITIVE_INFINITY);
  } finally {
    idle = encoder;
  }
}

const { isProxy } = types;
const objectPrototype = Object.prototype;
const arrayPrototype = Array.prototype;

export class CborEncoder extends ByteWriter {
  private root = "this";
  private depth = 0;
  private readonly places: Place[] = [PLACE.property];
  private readonly keys: unknown[] = [undefined];
  private seen = new Map<object, number>();
  /** Instances whose codec builds them from finished data: a reference to one from inside could not be read back. */
  private unfinished: Set<object> | undefined;

  run(value: unknown, root: string, maxBytes: number): Uint8Array[] {
    this.root = root;
    this.maxBytes = maxBytes;
    try {
      this.encode(value);
      return this.take();
    } catch (error) {
      if (isFlowError(error)) throw error;
      if (error instanceof RangeError && /call stack/.test(error.message))
        this.refuse({ reason: "it is nested too deep for this stack" });
      return this.refuse({ reason: `reading it threw ${String(error)}`, cause: error });
    } finally {
      this.reset();
      this.depth = 0;
      this.keys.length = 1;
      this.unfinished = undefined;
      if (this.seen.size > 0) this.seen = new Map();
    }
  }

  encode(value: unknown): void {
    switch (typeof value) {
      case "string":
        this.text(value);
        return;
      case "number":
        this.reserve(9);
        this.number(value);
        return;
      case "boolean":
        this.simple(value ? SIMPLE.true : SIMPLE.false);
        return;
      case "undefined":
        this.simple(SIMPLE.undefined);
        return;
      case "bigint":
        this.bigint(value);
        return;
      case "function":
        this.refuse(functionRefusal(value));
        break;
      case "symbol":
        this.refuse({ reason: `${String(value)} is not data` });
        break;
      case "object":
        if (value === null) this.simple(SIMPLE.null);
        else this.object(value);
    }
  }

  /** An object with its enumerable properties, as a map with text keys in the order of the object. */
  properties(object: object): void {
    const names = Object.keys(object);
    if (Object.getOwnPropertySymbols(object).length !== 0)
      this.refuse({ reason: "an object with symbol keys", hint: "Use text keys" });
    const depth = this.enter(PLACE.property);
    const { keys } = this;
    this.reserve(9);
    this.head(MAJOR.map, names.length);
    const values = object as Readonly<Record<string, unknown>>;
    let index = 0;
    // V8 reads what for-in names by its place in the object, others by a search. A getter may take keys away on the way, and a
    // prototype may add some: then the names that were counted are gone through one by one.
    for (const name in values) {
      if (name !== names[index]) break;
      keys[depth] = name;
      this.text(name);
      this.encode(values[name]);
      index++;
    }
    for (; index < names.length; index++) {
      const name = names[index]!;
      keys[depth] = name;
      this.text(name);
      this.encode(values[name]);
    }
    this.leave();
  }

  array(array: readonly unknown[]): void {
    const length = array.length;
    let filled = 0;
    while (filled < length && (array[filled] !== undefined || filled in array)) filled++;
    if (filled < length) {
      this.arrayWithHoles(array);
      return;
    }
    if (hasExtraProperties(array)) this.refuse(namedElementsRefusal);
    const depth = this.enter(PLACE.index);
    const { keys } = this;
    this.reserve(9);
    this.head(MAJOR.array, length);
    for (let index = 0; index < length; index++) {
      const element = array[index];
      if (typeof element === "number") {
        this.reserve(9);
        this.number(element);
      } else {
        keys[depth] = index;
        this.encode(element);
      }
    }
    this.leave();
  }

  /** Begins `27([name, data])`; the data follows. */
  named(name: string): void {
    this.tag(TAG.instance);
    this.simple(MAJOR.array | 2);
    this.text(name);
  }

  /** Goes a level deeper; `at` then says where inside it. What stands behind a tag takes two, as reading it takes more stack. */
  enter(place: Place, levels: 1 | 2 = 1): number {
    if (levels === 2) this.enter(PLACE.property);
    if (this.depth === MAX_DEPTH) {
      this.refuse({
        reason: `it is nested deeper than ${MAX_DEPTH} levels`,
        hint: "Flatten it, for example into a list",
      });
    }
    const depth = ++this.depth;
    this.places[depth] = place;
    this.keys[depth] = undefined;
    return depth;
  }

  at(place: Place, key: unknown): void {
    this.places[this.depth] = place;
    this.keys[this.depth] = key;
  }

  leave(levels: 1 | 2 = 1): void {
    this.depth -= levels;
  }

  /** Encodes what stands for an instance, during which the instance itself must not occur. */
  whileUnfinished(instance: object, encodeData: () => void): void {
    this.unfinished ??= new Set();
    this.unfinished.add(instance);
    encodeData();
    this.unfinished.delete(instance);
  }

  path(): string {
    let path = this.root;
    for (let depth = 1; depth <= this.depth; depth++) {
      if (this.keys[depth] !== undefined || this.places[depth] === PLACE.mapValue)
        path += pathPart(this.places[depth]!, this.keys[depth]);
    }
    return path;
  }

  refuse(refusal: Refusal): never {
    throw unserialisable(this.path(), refusal);
  }

  private object(value: object): void {
    const earlier = this.seen.get(value);
    if (earlier !== undefined) {
      if (this.unfinished?.has(value)) this.refuse(cycleRefusal);
      this.reference(earlier);
      return;
    }
    this.reserve(16);
    this.seen.set(value, this.position);
    if (isProxy(value)) this.refuse(proxyRefusal);
    const prototype: object | null = Object.getPrototypeOf(value);
    if (prototype === objectPrototype) this.properties(value);
    else if (prototype === arrayPrototype) this.array(value as unknown[]);
    else encodeBuiltin(this, value, prototype);
  }

  /** Tag 31 stands for a hole; where fewer than half the places are taken, `js.Array` lists index and value. */
  private arrayWithHoles(array: readonly unknown[]): void {
    const { length } = array;
    const names = Object.keys(array);
    const last = names.at(-1);
    const isNamed = last !== undefined && !(Number(last) < length && String(Number(last)) === last);
    if (isNamed || Object.getOwnPropertySymbols(array).length !== 0) this.refuse(namedElementsRefusal);
    const isSparse = names.length * 2 < length;
    this.enter(PLACE.index, isSparse ? 2 : 1);
    if (isSparse) {
      this.named(JS.sparseArray);
      this.reserve(18);
      this.head(MAJOR.array, 1 + 2 * names.length);
      this.number(length);
      for (const name of names) {
        const index = Number(name);
        this.reserve(9);
        this.number(index);
        this.at(PLACE.index, index);
        this.encode(array[index]);
      }
    } else {
      this.reserve(9);
      this.head(MAJOR.array, length);
      for (let index = 0; index < length; index++) {
        if (index in array) {
          this.at(PLACE.index, index);
          this.encode(array[index]);
        } else {
          this.tag(TAG.hole);
          this.simple(SIMPLE.undefined);
        }
      }
    }
    this.leave(isSparse ? 2 : 1);
  }
}

let idle: CborEncoder | undefined = new CborEncoder(64 * 1024);

const proxyRefusal: Refusal = { reason: "it is a Proxy", hint: "Save a plain copy of what stands behind it" };
const namedElementsRefusal: Refusal = {
  reason: "it is an array with named properties",
  hint: "Copy them into an object",
};
const cycleRefusal: Refusal = {
  reason: "it leads back to an instance whose codec makes it from finished data",
  hint: "Leave the way back out of the data, or use @storable without encode and decode",
};

function functionRefusal(value: CallableFunction): Refusal {
  const noun = /^class\b/.test(Function.prototype.toString.call(value)) ? "class" : "function";
  return {
    reason: `the ${noun} ${value.name || "(anonymous)"} is not data`,
    hint: "Save what it is made from, and make it again where it is used",
  };
}
