/**
 * The numbers and names of the encoding. All tags are registered with IANA (docs/formats/encoding.md says by whom);
 * what no registered tag can say stands as a name under tag 27, and names that start with `js.` are ours.
 */

export const MAJOR = {
  unsigned: 0x00,
  negative: 0x20,
  bytes: 0x40,
  text: 0x60,
  array: 0x80,
  map: 0xa0,
  tag: 0xc0,
} as const;

export const SIMPLE = {
  false: 0xf4,
  true: 0xf5,
  null: 0xf6,
  undefined: 0xf7,
  float16: 0xf9,
  float32: 0xfa,
  float64: 0xfb,
} as const;

export const TAG = {
  dateText: 0,
  date: 1,
  positiveBigInt: 2,
  negativeBigInt: 3,
  instance: 27,
  shared: 28,
  reference: 29,
  hole: 31,
  url: 32,
  set: 258,
  map: 259,
  wtf8: 273,
  regExp: 21066,
} as const;

/** Names under tag 27 for values of the language. */
export const JS = {
  map: "js.Map",
  set: "js.Set",
  nullObject: "js.NullObject",
  sparseArray: "js.Array",
  error: "js.Error",
  date: "js.Date",
  dataView: "js.DataView",
  arrayBuffer: "js.ArrayBuffer",
  boxed: "js.Boxed",
} as const;

export const RESERVED_NAME_PREFIX = "js.";

/**
 * Levels inside one another when encoding: an object or array is one, what stands behind a tag two. The bound lets every
 * encoded value be decoded on the smallest stack that Node.js gives a thread, even by code that is not compiled yet.
 */
export const MAX_DEPTH = 1000;

/** When decoding, each tag and container is a level: tag 28 may stand before each container of the encoder. */
export const MAX_DECODED_DEPTH = 2 * MAX_DEPTH + 8;

/** First and last millisecond of the years 1 to 9999: other libraries cannot read tag 1 beyond them. */
export const FIRST_TAGGED_DATE = -62_135_596_800_000;
export const LAST_TAGGED_DATE = 253_402_300_799_999;

export const errorClasses: ReadonlyMap<string, ErrorConstructor> = new Map(
  Object.entries({ Error, TypeError, RangeError, SyntaxError, ReferenceError, URIError, EvalError }).concat([
    ["AggregateError", AggregateError as unknown as ErrorConstructor],
  ]),
);
