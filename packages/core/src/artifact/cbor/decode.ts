/**
 * CBOR to values (docs/formats/encoding.md).
 *
 * Payloads are not trusted: whatever the bytes are, the result is a value or a FlowError, in time and memory that grow
 * with the payload alone. No code runs that comes from the payload; only the decode and upgrade functions of classes that
 * this program registered. Other writers' longer forms of numbers are accepted, since identity is checked by digest.
 * This file reads primitives, arrays and maps; `decode-tags.ts` what stands behind a tag.
 */
import { isFlowError } from "../../errors/flow-error.ts";
import { ByteReader } from "./byte-reader.ts";
import { decodeTag } from "./decode-tags.ts";
import { defineData } from "./define-data.ts";
import { HOLE } from "./hole.ts";
import { MAJOR, MAX_DECODED_DEPTH, SIMPLE, TAG } from "./tags.ts";

export interface CborDecodeOptions {
  /**
   * What becomes of an instance whose class is not registered: `keep` (the default) gives a readable StoredInstance,
   * `refuse` is FLOW_ARTIFACT_UNKNOWN_CLASS.
   */
  readonly unknownClasses?: "keep" | "refuse";
}

/**
 * The value of a payload, in memory of its own.
 *
 * @throws FlowError FLOW_ARTIFACT_CORRUPT, FLOW_ARTIFACT_UNKNOWN_CLASS, FLOW_ARTIFACT_CODEC_VERSION,
 *   FLOW_ARTIFACT_CODEC_FAILED, FLOW_ARTIFACT_UNSUPPORTED
 */
export function decodeCbor(payload: Uint8Array, options: CborDecodeOptions = {}): unknown {
  return new CborDecoder(payload, options.unknownClasses === "refuse").run();
}

/** Stands for a shared value that is begun but cannot be referred to yet. */
const PENDING = Symbol("pending");

/** Keys of the last map of a depth and size: rows have the same keys, which are then compared instead of made. */
const knownKeys: (readonly string[] | undefined)[] = new Array(32 * 32).fill(undefined);
const MAX_KNOWN_KEYS = 31;

/** Beyond it, V8 gives `new Array(n)` a dictionary, which is slower than growing. */
const MAX_PREALLOCATED = 30_000_000;

export class CborDecoder extends ByteReader {
  readonly refusesUnknownClasses: boolean;
  private level = 0;
  private readonly shared: unknown[] = [];
  /** Number of the shared value that begins next, or -1. */
  private opening = -1;

  constructor(payload: Uint8Array, refusesUnknownClasses: boolean) {
    super(payload);
    this.refusesUnknownClasses = refusesUnknownClasses;
  }

  run(): unknown {
    try {
      const value = this.value();
      if (this.position !== this.end) this.corrupt("bytes follow the value");
      return value;
    } catch (error) {
      if (error instanceof RangeError && !isFlowError(error))
        return this.corrupt("it is nested too deep for this stack", error);
      throw error;
    }
  }

  /** The next value, which may not be a hole. */
  value(): unknown {
    const value = this.item();
    return value === HOLE ? this.corrupt("a hole stands outside an array") : value;
  }

  /** The elements of an array whose head was read, into `array`. */
  elements(array: unknown[], count: number): unknown[] {
    this.descend();
    const { bytes, end } = this;
    for (let index = 0; index < count; index++) {
      // The commonest numbers are read in place: half of the time of long arrays of numbers was the way through item().
      const first = this.position < end ? bytes[this.position]! : -1;
      if (first >= 0 && first < 24) {
        this.position++;
        array[index] = first;
      } else if (first === SIMPLE.float64) {
        this.position++;
        array[index] = this.float64();
      } else if (first === (MAJOR.unsigned | 25)) {
        this.position++;
        array[index] = this.uint16();
      } else if (first === (MAJOR.unsigned | 26)) {
        this.position++;
        array[index] = this.uint32();
      } else {
        const value = this.item();
        if (value === HOLE) array.length = Math.max(array.length, index + 1);
        else array[index] = value;
      }
    }
    this.ascend();
    return array;
  }

  /** A map whose head was read, as an object; as a Map when its keys are no texts (other programs write such). */
  object(count: number, object: Record<string, unknown>): unknown {
    this.claim(count * 2);
    this.descend();
    const opening = this.opening;
    this.open(object);
    const slot = count <= MAX_KNOWN_KEYS ? ((this.level & 31) << 5) | count : -1;
    const candidates = slot < 0 ? undefined : knownKeys[slot];
    let isNewShape = candidates === undefined;
    for (let index = 0; index < count; index++) {
      let key: string | undefined;
      if (!isNewShape) {
        key = this.keyIfNext(candidates![index]!);
        isNewShape = key === undefined;
      }
      if (key === undefined) {
        const next = this.key();
        if (typeof next !== "string") {
          if (index > 0 || Object.getPrototypeOf(object) === null) this.corrupt("a map mixes texts with other keys");
          const map = new Map<unknown, unknown>();
          this.close(opening, map);
          this.entries(map, count, next);
          this.ascend();
          return map;
        }
        if (Object.hasOwn(object, next)) this.corrupt("a map has a key twice");
        key = next;
      }
      const value = this.item(); // Not value(): each frame saved lets deeper values through the stack.
      if (value === HOLE) this.corrupt("a hole stands outside an array");
      if (key === "__proto__") defineData(object, key, value);
      else object[key] = value;
    }
    if (isNewShape && slot >= 0) rememberKeys(slot, object, count);
    this.ascend();
    return object;
  }

  /** Entries of a Map; `firstKey` when it was read already. */
  entries(map: Map<unknown, unknown>, count: number, ...firstKey: readonly unknown[]): void {
    this.descend();
    for (let index = 0; index < count; index++) {
      const key = index === 0 && firstKey.length === 1 ? firstKey[0] : this.value();
      map.set(key, this.value());
    }
    if (map.size !== count) this.corrupt("a map has a key twice");
    this.ascend();
  }

  members(set: Set<unknown>, count: number): void {
    this.claim(count);
    this.descend();
    for (let index = 0; index < count; index++) set.add(this.value());
    if (set.size !== count) this.corrupt("a set has a member twice");
    this.ascend();
  }

  /** Takes the number of the shared value that begins here; `close` tells what it is. */
  takeOpening(): number {
    const { opening } = this;
    this.opening = -1;
    return opening;
  }

  /** Lets references to this number find the value from now on. */
  close(opening: number, value: unknown): void {
    if (opening >= 0) this.shared[opening] = value;
  }

  referredValue(): unknown {
    const number = this.headOf(MAJOR.unsigned);
    if (number >= this.shared.length) this.corrupt("a reference names no shared value");
    const value = this.shared[number];
    return value === PENDING ? this.corrupt("a reference names a value that is not finished") : value;
  }

  /** Runs code of the runtime that may refuse what the payload says. */
  attempt<T>(what: string, make: () => T): T {
    try {
      return make();
    } catch (error) {
      return this.corrupt(`it holds no valid ${what}`, error);
    }
  }

  private item(): unknown {
    const first = this.byte();
    const additional = first & 31;
    switch (first & 0xe0) {
      case MAJOR.unsigned: {
        const value = this.argument(additional);
        return value <= Number.MAX_SAFE_INTEGER ? value : this.bigArgument();
      }
      case MAJOR.negative: {
        const value = this.argument(additional);
        return value < Number.MAX_SAFE_INTEGER ? -1 - value : -1n - this.bigArgument();
      }
      case MAJOR.bytes:
        return Buffer.from(this.slice(this.argument(additional)));
      case MAJOR.text:
        return this.text(this.argument(additional));
      case MAJOR.array: {
        const count = this.argument(additional);
        this.claim(count);
        const array: unknown[] = count > 64 && count < MAX_PREALLOCATED ? new Array(count) : [];
        this.open(array);
        return this.elements(array, count);
      }
      case MAJOR.map:
        return this.object(this.argument(additional), {});
      case MAJOR.tag: {
        const tag = this.argument(additional);
        if (tag === TAG.shared) return this.sharedItem();
        this.descend();
        const value = decodeTag(this, tag);
        this.ascend();
        return value;
      }
    }
    switch (first) {
      case SIMPLE.false:
        return false;
      case SIMPLE.true:
        return true;
      case SIMPLE.null:
        return null;
      case SIMPLE.undefined:
        return undefined;
      case SIMPLE.float16:
        return this.float16();
      case SIMPLE.float32:
        return this.float32();
      case SIMPLE.float64:
        return this.float64();
    }
    this.position--;
    return this.corrupt("a simple value has no meaning here");
  }

  /** A value that may be referred to from inside itself. */
  private sharedItem(): unknown {
    if (this.opening >= 0) this.corrupt("tag 28 stands twice");
    this.descend();
    const number = this.shared.push(PENDING) - 1;
    this.opening = number;
    const value = this.item();
    this.opening = -1;
    if (value === null || typeof value !== "object") this.corrupt("a shared value is no object");
    this.shared[number] = value;
    this.ascend();
    return value;
  }

  private key(): unknown {
    const { opening } = this;
    this.opening = -1;
    const key = this.value();
    this.opening = opening;
    return key;
  }

  /** The candidate, when exactly its bytes come next; nothing is consumed otherwise. */
  private keyIfNext(candidate: string): string | undefined {
    const { length } = candidate;
    const { bytes, position } = this;
    const start = position + 1;
    if (length >= 24 || start + length > this.end || bytes[position] !== (MAJOR.text | length)) return undefined;
    for (let index = 0; index < length; index++)
      if (candidate.charCodeAt(index) !== bytes[start + index]) return undefined;
    this.position = start + length;
    return candidate;
  }

  private open(value: object): void {
    if (this.opening < 0) return;
    this.shared[this.opening] = value;
    this.opening = -1;
  }

  private descend(): void {
    if (++this.level > MAX_DECODED_DEPTH) this.corrupt("it is nested too deep");
  }

  private ascend(): void {
    this.level--;
  }
}

/** Only ASCII keys in the order of the payload can be compared byte by byte; integer-like keys may stand otherwise. */
function rememberKeys(slot: number, object: object, count: number): void {
  const keys = Object.keys(object);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII is meant, all of it
  knownKeys[slot] = keys.length === count && keys.every((key) => /^[\x00-\x7f]*$/.test(key)) ? keys : undefined;
}
