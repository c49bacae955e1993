import { deepStrictEqual } from "node:assert/strict";
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { decodeCbor } from "./decode.ts";
import { encodeCbor } from "./encode.ts";
import { Tagged } from "./kept-values.ts";

const encode = (value: unknown): Buffer => Buffer.concat(encodeCbor(value));

/** Everything that fast-check can make of data: depth and size are bounded by it. */
const anyData = fc.anything({
  withBigInt: true,
  withBoxedValues: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true,
  withUnicodeString: true,
});
const anyText = fc.string({ unit: "binary", maxLength: 60 });

describe("encodeCbor", () => {
  it("gives bytes that decode to an equal value and encode to the same bytes", () => {
    const cases = fc.oneof(
      { weight: 8, arbitrary: anyData },
      fc.dictionary(anyText, anyData),
      fc.array(fc.double()),
      anyText,
    );
    fc.assert(
      fc.property(cases, (value) => {
        const bytes = encode(value);
        const decoded = decodeCbor(bytes);
        deepStrictEqual(decoded, value);
        return encode(decoded).equals(bytes);
      }),
      { numRuns: 1_500 },
    );
  });

  it("keeps each double exactly, in the shortest form that does", () => {
    fc.assert(
      fc.property(fc.double(), (value) => {
        const bytes = encode(value);
        if (bytes[0] === 0xfb && !Number.isNaN(value)) expect(Math.fround(value)).not.toBe(value);
        return Object.is(decodeCbor(bytes), value);
      }),
      { numRuns: 5_000 },
    );
  });

  it("keeps each of the 65,536 half floats, in its three bytes or as an integer", () => {
    const payload = Buffer.from([0xf9, 0, 0]);
    for (let bits = 0; bits < 65_536; bits++) {
      payload.writeUInt16BE(bits, 1);
      const value = decodeCbor(payload) as number;
      const bytes = encode(value);
      if (!Object.is(decodeCbor(bytes), value)) expect.fail(`half float ${bits}`);
      if (bytes.length > 3) expect.fail(`half float ${bits} takes ${bytes.length} bytes`);
    }
  });

  it("shares what occurs twice and copies what is merely equal", () => {
    const shared = { a: 1 };
    const decoded = decodeCbor(encode({ p: shared, q: shared, r: { a: 1 } })) as Record<string, unknown>;
    expect(decoded.p).toBe(decoded.q);
    expect(decoded.r).not.toBe(decoded.p);
    expect(decoded.r).toEqual(decoded.p);
  });

  it("marks what is shared at the end of a long value, and a cycle to its beginning, by order of appearance", () => {
    const rows: Record<string, unknown>[] = Array.from({ length: 3000 }, (_, id) => ({ id, part: { id } }));
    rows.push({ again: rows[2999]!.part, first: rows[7], all: rows });
    const decoded = decodeCbor(encode(rows)) as typeof rows;
    expect(decoded[3000]!.again).toBe(decoded[2999]!.part);
    expect(decoded[3000]!.first).toBe(decoded[7]);
    expect(decoded[3000]!.all).toBe(decoded);
    expect(new Set(decoded.slice(0, 3000)).size).toBe(3000);
    expect(encode(decoded)).toEqual(encode(rows));
    // 29(0) means what appeared first, the array itself.
    expect(encode(rows).subarray(0, 2).toString("hex")).toBe("d81c");
    expect(encode(rows).subarray(-3).toString("hex")).toBe("d81d00");
  });

  it("has the keys that an object had at first, also when a getter takes one away or adds one", () => {
    const value: Record<string, unknown> = {
      get first() {
        delete value.second;
        value.fourth = 4;
        return 1;
      },
      second: 2,
      third: 3,
    };
    expect(decodeCbor(encode(value))).toStrictEqual({ first: 1, second: undefined, third: 3 });
  });

  it("leaves out what a program has added to the prototype of all objects", () => {
    const prototype = Object.prototype as unknown as Record<string, unknown>;
    prototype.added = "inherited";
    try {
      const bytes = encode({ own: 1 });
      expect(bytes.equals(Buffer.from([0xa1, 0x63, ...Buffer.from("own"), 1]))).toBe(true);
    } finally {
      delete prototype.added;
    }
  });

  it("gives large bytes out without copying them, also between shared values", () => {
    const large = new Uint8Array(70_000).fill(7);
    const shared = { name: "shared" };
    const chunks = encodeCbor([shared, large, shared, { large }]);
    expect(chunks.some((chunk) => chunk.buffer === large.buffer)).toBe(true);
    const decoded = decodeCbor(Buffer.concat(chunks)) as [object, Uint8Array, object, { large: Uint8Array }];
    expect(decoded[0]).toBe(decoded[2]);
    expect(decoded[3].large).toBe(decoded[1]);
    expect(decoded[1]).toEqual(large);
  });

  test.each([
    ["arrays", 999, (value: unknown) => [value]],
    ["objects", 999, (value: unknown) => ({ value })],
    ["null objects", 499, (value: unknown) => Object.assign(Object.create(null), { value }) as object],
    ["Maps", 499, (value: unknown) => new Map([[1n, value]])],
    ["Sets", 499, (value: unknown) => new Set([value])],
    ["errors", 499, (value: unknown) => new Error("outer", { cause: value })],
    ["kept tags", 499, (value: unknown) => new Tagged(5000, [value])],
  ])("keeps shared %s up to the limit of %d inside one another, and refuses more", (_, limit, wrap) => {
    const nested = (levels: number) => {
      let value: unknown = [];
      const all = [value];
      for (let level = 1; level < levels; level++) {
        value = wrap(value);
        all.push(value);
      }
      return [value, all];
    };
    const bytes = encode(nested(limit));
    expect(encode(decodeCbor(bytes)).equals(bytes)).toBe(true);
    expect(() => encode(nested(limit + 3))).toThrow("nested deeper than 1000 levels");
  });

  it("refuses to go on far beyond the limit", () => {
    const maxBytes = 1_000_000;
    const growing = Array.from({ length: 3_000_000 }, () => 1e9);
    expect(() => encodeCbor(growing, { maxBytes })).toThrow(
      expect.objectContaining({ code: "FLOW_ARTIFACT_TOO_LARGE" }),
    );
    expect(decodeCbor(encode([1]))).toEqual([1]);
  });

  it("works inside the getter of a value that is being encoded", () => {
    const inner = { b: [1, 2] };
    const value = {
      a: inner,
      get nested() {
        return encode(inner);
      },
      c: inner,
    };
    expect(decodeCbor(encode(value))).toEqual({ a: inner, nested: encode(inner), c: inner });
  });

  it("can be used after a refusal", () => {
    for (let round = 0; round < 3; round++) {
      expect(() => encode({ a: { b: [() => 1] } })).toThrow("this.a.b[0]");
      expect(decodeCbor(encode({ a: 1 }))).toEqual({ a: 1 });
    }
  });
});

/** Pairs that are equal to the language and differ in what V8 did to them before. */
const pairs: readonly (readonly [name: string, make: () => readonly [unknown, unknown]])[] = [
  [
    "elements as doubles",
    () => {
      const doubles: unknown[] = [1.5, 2, 3];
      doubles[0] = 1;
      return [[1, 2, 3], doubles];
    },
  ],
  [
    "holey elements",
    () => {
      const holey = new Array(3);
      holey[2] = 3;
      holey[1] = 2;
      holey[0] = 1;
      return [[1, 2, 3], holey];
    },
  ],
  [
    "dictionary elements",
    () => {
      const slow: number[] = [1, 2];
      slow[5_000_000] = 1;
      slow.length = 2;
      return [[1, 2], slow];
    },
  ],
  [
    "dictionary mode",
    () => {
      const slow: Record<string, number> = { a: 1, x: 0, b: 2 };
      delete slow.x;
      return [{ a: 1, b: 2 }, slow];
    },
  ],
  [
    "field as double",
    () => {
      const field = { a: 1.5 };
      field.a = 1;
      return [{ a: 1 }, field];
    },
  ],
  [
    "many properties",
    () => {
      const make = () => Object.fromEntries(Array.from({ length: 2_000 }, (_, i) => [`k${i}`, i]));
      return [make(), JSON.parse(JSON.stringify(make()))];
    },
  ],
  [
    "cons string",
    () => {
      let text = "";
      for (let i = 0; i < 100; i++) text += "ab";
      return ["ab".repeat(100), text];
    },
  ],
  ["sliced string", () => ["bcdefghijklmnopqrstuvw", "abcdefghijklmnopqrstuvwx".slice(1, 23)]],
  ["two-byte string of one-byte characters", () => ["plain", "plain\u{1F600}".slice(0, 5)]],
  [
    "Map with deletions",
    () => {
      const map = new Map([
        ["x", 0],
        ["a", 1],
      ]);
      map.delete("x");
      return [new Map([["a", 1]]), map];
    },
  ],
  [
    "Set with deletions",
    () => {
      const set = new Set(["x", "a"]);
      set.delete("x");
      return [new Set(["a"]), set];
    },
  ],
  ["pooled Buffer", () => [Buffer.from("abc"), Buffer.concat([Buffer.from("0abc")]).subarray(1)]],
  [
    "view at an offset",
    () => [new Float64Array([1, 2]), new Float64Array(new Float64Array([0, 1, 2, 3]).buffer, 8, 2)],
  ],
  [
    "NaN bits in a Float64Array",
    () => [
      new Float64Array([1, Number.NaN]),
      new Float64Array(new BigUint64Array([0x3ff0000000000000n, 0xfff8000000000001n]).buffer),
    ],
  ],
  [
    "NaN bits in a Float32Array",
    () => [new Float32Array([Number.NaN, 2]), new Float32Array(new Uint32Array([0xffc00001, 0x40000000]).buffer)],
  ],
  [
    "a computed NaN",
    () => {
      const zero = Number("0");
      return [new Float64Array([Number.NaN]), new Float64Array([zero / zero])];
    },
  ],
  ["frozen object", () => [{ a: [1] }, Object.freeze({ a: Object.freeze([1]) })]],
  ["class fields and literal keys", () => [{ a: 1, b: 2 }, Object.assign({}, { a: 1 }, { b: 2 })]],
];

describe("equal values", () => {
  test.each(pairs)("have equal bytes: %s", (_, make) => {
    const [left, right] = make();
    expect(right).toStrictEqual(left);
    expect(encode(right).toString("hex")).toBe(encode(left).toString("hex"));
  });

  it("leave the caller's NaN as it is", () => {
    const bits = new BigUint64Array([0xfff8000000000001n]);
    encode(new Float64Array(bits.buffer));
    expect(bits[0]).toBe(0xfff8000000000001n);
  });

  it("are not values in another order", () => {
    expect(encode({ x: 1, y: 2 }).equals(encode({ y: 2, x: 1 }))).toBe(false);
  });
});
