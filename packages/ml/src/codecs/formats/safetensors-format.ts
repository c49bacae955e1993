/**
 * The safetensors format: eight bytes of length, a header in JSON, and the numbers of all tensors one after the other. Written
 * in one way only (tensors by width and name, header padded to eight bytes), and read with every offset checked.
 *
 * @see the format's README in huggingface/safetensors
 */

const TYPES = {
  F64: { width: 8, array: Float64Array },
  I64: { width: 8, array: BigInt64Array },
  U64: { width: 8, array: BigUint64Array },
  F32: { width: 4, array: Float32Array },
  I32: { width: 4, array: Int32Array },
  U32: { width: 4, array: Uint32Array },
  /** Half precision and bfloat16 are kept as their bits: not every Node.js has a type for them. */
  F16: { width: 2, array: Uint16Array },
  BF16: { width: 2, array: Uint16Array },
  I16: { width: 2, array: Int16Array },
  U16: { width: 2, array: Uint16Array },
  I8: { width: 1, array: Int8Array },
  U8: { width: 1, array: Uint8Array },
  BOOL: { width: 1, array: Uint8Array },
} as const;

/** Types of numbers, as the format calls them. */
export type TensorType = keyof typeof TYPES;

/** Numbers of a tensor, the last dimension first. `F16` and `BF16` as their bits. */
export type TensorData =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

/** A tensor of a file. */
export interface SafeTensor {
  readonly type: TensorType;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** What a file holds. */
export interface SafeTensorsContent {
  readonly tensors: Readonly<Record<string, SafeTensor>>;
  /** Texts by name; may be empty. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** What the reference reader takes at most. */
const MAX_HEADER_BYTES = 100_000_000;

/**
 * Tensors as bytes: equal tensors give equal bytes, in whatever order they are.
 *
 * @throws TypeError, RangeError for a tensor whose shape, type and data do not belong together
 */
export function writeSafetensors({ tensors, metadata }: SafeTensorsContent): Uint8Array {
  const sorted = Object.entries(tensors).sort(
    ([one, { type: a }], [other, { type: b }]) => widthOf(b, other) - widthOf(a, one) || (one < other ? -1 : 1),
  );
  const header: Record<string, unknown> = {};
  const texts = Object.entries(metadata).sort(([one], [other]) => (one < other ? -1 : 1));
  if (texts.length > 0) header.__metadata__ = Object.fromEntries(texts);
  let offset = 0;
  for (const [name, { type, shape, data }] of sorted) {
    if (name === "__metadata__") throw new TypeError('a tensor cannot be called "__metadata__"');
    if (!(data instanceof TYPES[type].array)) throw new TypeError(`the data of "${name}" is not that of ${type}`);
    if (data.byteLength !== bytesOf(type, shape, name))
      throw new RangeError(`"${name}" has ${data.length} numbers for the shape ${shape.join("×")}`);
    header[name] = { dtype: type, shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const text = Buffer.from(JSON.stringify(header));
  const padded = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(8 + padded + offset).fill(0x20, 8, 8 + padded);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(text, 8);
  let place = 8 + padded;
  for (const [, { data }] of sorted) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), place);
    place += data.byteLength;
  }
  return bytes;
}

/**
 * Tensors of bytes, in memory of their own.
 *
 * @throws TypeError, RangeError, SyntaxError with what is wrong
 */
export function readSafetensors(bytes: Uint8Array): SafeTensorsContent {
  if (bytes.length < 8) throw new RangeError("the file ends before its header");
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(Math.min(MAX_HEADER_BYTES, bytes.length - 8)))
    throw new RangeError(`a header of ${length} bytes is more than there is`);
  const start = 8 + Number(length);
  const header: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, start)));
  if (header === null || typeof header !== "object" || Array.isArray(header))
    throw new TypeError("its header is no list");
  const metadata = readMetadata((header as Readonly<Record<string, unknown>>).__metadata__);
  const entries = Object.entries(header).filter(([name]) => name !== "__metadata__");
  const ranges: (readonly [number, number])[] = [];
  const tensors = entries.map(([name, entry]) => {
    const { type, shape, from, to } = readEntry(name, entry);
    if (to > bytes.length - start) throw new RangeError(`"${name}" ends after the file`);
    ranges.push([from, to]);
    const data = bytes.slice(start + from, start + to);
    return [name, { type, shape, data: new TYPES[type].array(data.buffer) }] as const;
  });
  let end = 0;
  for (const [from, to] of ranges.sort(([a, b], [c, d]) => a - c || b - d)) {
    if (from !== end) throw new RangeError("its tensors overlap or leave holes");
    end = to;
  }
  if (end !== bytes.length - start) throw new RangeError("bytes follow after its last tensor");
  return { tensors: Object.fromEntries(tensors), metadata };
}

interface Entry {
  readonly type: TensorType;
  readonly shape: readonly number[];
  readonly from: number;
  readonly to: number;
}

function readEntry(name: string, entry: unknown): Entry {
  const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof dtype !== "string" || !Object.hasOwn(TYPES, dtype)) throw new TypeError(`"${name}" has no known type`);
  if (!isSizes(shape) || !isSizes(offsets) || offsets.length !== 2)
    throw new TypeError(`"${name}" has no shape or no offsets`);
  const type = dtype as TensorType;
  const [from, to] = offsets as [number, number];
  if (to - from !== bytesOf(type, shape, name)) throw new RangeError(`"${name}" has another size than its shape`);
  return { type, shape, from, to };
}

function readMetadata(value: unknown): Readonly<Record<string, string>> {
  if (value === undefined) return {};
  const isTexts =
    value !== null && typeof value === "object" && Object.values(value).every((text) => typeof text === "string");
  if (!isTexts) throw new TypeError("its metadata are no texts");
  return value as Readonly<Record<string, string>>;
}

function widthOf(type: TensorType, name: string): number {
  if (!Object.hasOwn(TYPES, type)) throw new TypeError(`"${name}" has no known type`);
  return TYPES[type].width;
}

function bytesOf(type: TensorType, shape: readonly number[], name: string): number {
  const bytes = shape.reduce((product, size) => product * size, widthOf(type, name));
  if (!Number.isSafeInteger(bytes)) throw new RangeError(`"${name}" has more numbers than there can be`);
  return bytes;
}

function isSizes(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}
