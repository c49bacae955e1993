/**
 * The twelve typed arrays of the language: their raw codec, their tag of RFC 8746, and their bytes. Stored bytes are
 * little endian on every host, and every NaN is the canonical one.
 */
import { endianness } from "node:os";
import type { CodecId } from "./artifact.ts";

export type TypedArray = NodeJS.TypedArray<ArrayBufferLike>;
type TypedArrayConstructor = new (buffer: ArrayBufferLike) => TypedArray;

export interface TypedArrayKind {
  readonly name: string;
  /** Codec of a top-level array of this kind. */
  readonly codec: CodecId;
  /** Tag of a nested one, little endian. */
  readonly tag: number;
  /** Read, never written. */
  readonly bigEndianTag?: number;
  readonly width: 1 | 2 | 4 | 8;
  readonly isFloating: boolean;
  /** Absent where the language lacks it: Node.js 22 has no Float16Array. */
  readonly construct: TypedArrayConstructor | undefined;
}

export const typedArrayKinds: readonly TypedArrayKind[] = [
  kind("Uint8Array", "uint8", 1, 64),
  kind("Uint8ClampedArray", "uint8-clamped", 1, 68),
  kind("Uint16Array", "uint16", 2, 69, 65),
  kind("Uint32Array", "uint32", 4, 70, 66),
  kind("BigUint64Array", "uint64", 8, 71, 67),
  kind("Int8Array", "int8", 1, 72),
  kind("Int16Array", "int16", 2, 77, 73),
  kind("Int32Array", "int32", 4, 78, 74),
  kind("BigInt64Array", "int64", 8, 79, 75),
  kind("Float16Array", "float16", 2, 84, 80),
  kind("Float32Array", "float32", 4, 85, 81),
  kind("Float64Array", "float64", 8, 86, 82),
];

const byPrototype = new Map<object, TypedArrayKind>();
const byCodec = new Map<CodecId, TypedArrayKind>();
const byTag = new Map<number, TypedArrayKind>();
for (const entry of typedArrayKinds) {
  if (entry.construct !== undefined) byPrototype.set(entry.construct.prototype as object, entry);
  byCodec.set(entry.codec, entry);
  byTag.set(entry.tag, entry);
  if (entry.bigEndianTag !== undefined) byTag.set(entry.bigEndianTag, entry);
}

/** The kind of a value with this prototype; undefined for subclasses and for Buffer. */
export function typedArrayKindOf(prototype: object): TypedArrayKind | undefined {
  return byPrototype.get(prototype);
}

export function typedArrayKindByCodec(codec: CodecId): TypedArrayKind | undefined {
  return byCodec.get(codec);
}

export function typedArrayKindByTag(tag: number): TypedArrayKind | undefined {
  return byTag.get(tag);
}

/** An array's memory as bytes, as they lie there. */
export function memoryOf(array: TypedArray): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** The bytes to store: a view of the array's own memory wherever that is already right. */
export function typedArrayBytes(array: TypedArray, kind: TypedArrayKind): Uint8Array {
  const memory = memoryOf(array);
  const bytes = kind.isFloating ? withOneNaN(array, kind, memory) : memory;
  return isBigEndianHost && kind.width > 1 ? swapped(bytes, kind.width) : bytes;
}

/**
 * A typed array of its own, aligned memory from stored bytes, whose number must be a multiple of the width.
 *
 * @param options.isGiven the bytes fill their ArrayBuffer and nobody else needs them: they are not copied
 */
export function typedArrayFrom(
  bytes: Uint8Array,
  kind: TypedArrayKind,
  options: { readonly isBigEndian?: boolean; readonly isGiven?: boolean } = {},
): TypedArray | undefined {
  if (kind.construct === undefined) return undefined;
  const { isBigEndian = false, isGiven = false } = options;
  if (isBigEndian !== isBigEndianHost) return new kind.construct(swapped(bytes, kind.width).buffer);
  return new kind.construct((isGiven ? bytes : copied(bytes)).buffer);
}

const isBigEndianHost = endianness() === "BE";

/** A copy whose ArrayBuffer holds these bytes and nothing else. */
export function copied(bytes: Uint8Array): Buffer<ArrayBuffer> {
  const own = Buffer.allocUnsafeSlow(bytes.length);
  own.set(bytes);
  return own;
}

function swapped(bytes: Uint8Array, width: number): Buffer<ArrayBuffer> {
  const own = copied(bytes);
  if (width === 2) own.swap16();
  else if (width === 4) own.swap32();
  else if (width === 8) own.swap64();
  return own;
}

/**
 * V8's compilers leave different NaN bits for one and the same computation, so equal arrays could have different
 * digests. The array is scanned, and copied only when a NaN with other bits is met.
 */
function withOneNaN(array: TypedArray, kind: TypedArrayKind, memory: Uint8Array): Uint8Array {
  const length = array.length;
  let index = 0;
  // biome-ignore lint/suspicious/noSelfCompare: only NaN differs from itself, and Number.isNaN costs a call per element
  while (index < length && array[index] === array[index]) index++;
  if (index === length) return memory;
  const words = kind.width === 2 ? 1 : kind.width / 4;
  const canonical = kind.width === 2 ? 0x7e00 : kind.width === 4 ? 0x7fc00000 : 0x7ff80000;
  const wordsOf = (bytes: Uint8Array) =>
    kind.width === 2
      ? new Uint16Array(bytes.buffer, bytes.byteOffset, length)
      : new Uint32Array(bytes.buffer, bytes.byteOffset, length * words);
  const high = words === 2 && !isBigEndianHost ? 1 : 0;
  let result = memory;
  let bits = wordsOf(memory);
  for (; index < length; index++) {
    // biome-ignore lint/suspicious/noSelfCompare: as above
    if (array[index] === array[index]) continue;
    const at = index * words;
    if (bits[at + high] === canonical && (words === 1 || bits[at + 1 - high] === 0)) continue;
    if (result === memory) {
      result = copied(memory);
      bits = wordsOf(result);
    }
    bits[at + high] = canonical;
    if (words === 2) bits[at + 1 - high] = 0;
  }
  return result;
}

function kind(
  name: string,
  codec: CodecId,
  width: TypedArrayKind["width"],
  tag: number,
  bigEndianTag?: number,
): TypedArrayKind {
  const construct = (globalThis as unknown as Record<string, TypedArrayConstructor | undefined>)[name];
  const isFloating = name.startsWith("Float");
  return { name, codec, tag, width, isFloating, construct, ...(bigEndianTag === undefined ? {} : { bigEndianTag }) };
}
