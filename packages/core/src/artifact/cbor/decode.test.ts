import { describe, expect, it, test } from "vitest";
import { isFlowError } from "../../errors/flow-error.ts";
import { decodeCbor } from "./decode.ts";
import { encodeCbor } from "./encode.ts";
import { Tagged } from "./kept-values.ts";

const encode = (value: unknown): Buffer => Buffer.concat(encodeCbor(value));
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");
const name27 = (name: string): string =>
  `d81b82${(0x60 + name.length).toString(16)}${Buffer.from(name).toString("hex")}`;

describe("payloads of other writers", () => {
  test.each([
    ["doubles that could be shorter", "fb3ff8000000000000", 1.5],
    ["integers that could be shorter", "1b0000000000000005", 5],
    ["a BigInt that could be an integer", "c24105", 5n],
    ["a date as text", "c074323032362d31312d32315431303a33303a30305a", new Date("2026-11-21T10:30:00Z")],
    ["a big-endian Float64Array", "d852483ff8000000000000", new Float64Array([1.5])],
    ["a big-endian Uint16Array", "d841 44 0001 0203", new Uint16Array([1, 0x203])],
    [
      "a map with integer keys",
      "a201020304",
      new Map([
        [1, 2],
        [3, 4],
      ]),
    ],
    ["a tag without meaning here", "d9d9f701", new Tagged(55799, 1)],
  ])("are read: %s", (_, bytes, value) => {
    expect(decodeCbor(hex(bytes))).toEqual(value);
  });
});

describe("corrupt payloads", () => {
  test.each([
    ["nothing", "", "byte 0"],
    ["a truncated head", "19ff", "byte 1"],
    ["a truncated double", "fb3ff80000", "byte 1"],
    ["a text past the end", "6a6162", "byte 1"],
    ["bytes past the end", "5b00ffffffffffffff00", "byte 9"],
    ["an array of 2^53 elements", "9b0020000000000000", "byte 9"],
    ["arrays that claim the same bytes twice", "8a8a8a8a8a01020304050607", "an array or map runs past the end"],
    ["an indefinite array", "9f01ff", "indefinite"],
    ["an indefinite text", "7f6161ff", "indefinite"],
    ["a reserved length", "1c", "reserved"],
    ["a break", "ff", "simple value"],
    ["an unknown simple value", "f820", "simple value"],
    ["bytes after the value", "0102", "byte 1: bytes follow"],
    ["a key twice", "a2616101616102", "twice"],
    ["a key twice in a Map", "d90103a2616101616102", "twice"],
    ["a member twice in a Set", "d90102820101", "twice"],
    ["mixed keys", "a2616101 0203", "mixes"],
    ["invalid UTF-8", "62c328", "UTF-8"],
    ["an overlong form", "62c080", "UTF-8"],
    ["a surrogate in UTF-8", "63eda080", "UTF-8"],
    ["WTF-8 that is UTF-8", "d90111 43 616263", "WTF-8"],
    ["WTF-8 with a pair", "d90111 46 eda080edb080", "WTF-8"],
    ["a hole in an object", "a16161d81ff7", "hole"],
    ["a hole alone", "d81ff7", "hole"],
    ["a reference without a value", "d81d00", "no shared value"],
    ["a reference to itself", "d81cd81d00", "not finished"],
    ["a shared number", "d81c01", "no object"],
    ["tag 28 twice", "d81cd81c80", "twice"],
    ["a date that is none", "c16161", "date"],
    ["a date beyond time", "c1fb7fefffffffffffff", "date"],
    ["a regular expression that is none", "d9524a816128", "regular expression"],
    ["flags that are none", "d9524a8261616171", "regular expression"],
    ["a URL that is none", "d8206161", "URL"],
    ["half an element", "d85643000000", "ends inside an element"],
    ["tag 27 without data", "d81b816161", "name and data"],
    ["an unknown js name", `${name27("js.Nothing")}00`, "js.Nothing"],
    ["an unknown error class", `${name27("js.Error")}85 6346 6f6f 6161 6162 6163 a0`, "no error class"],
    ["a sparse array with falling indices", `${name27("js.Array")}85 14 05 01 04 01`, "index"],
    ["a sparse array shorter than its entries", `${name27("js.Array")}83 01 00 01`, "length"],
    ["a boxed object", `${name27("js.Boxed")}a0`, "primitive"],
    ["a tag beyond 2^53", "db00ffffffffffffff01", "tag is too large"],
  ])("are refused: %s", (_, bytes, says) => {
    expect(() => decodeCbor(hex(bytes))).toThrow(
      expect.objectContaining({ code: "FLOW_ARTIFACT_CORRUPT", message: expect.stringContaining(says) as string }),
    );
  });

  test.each([
    // Deep tags may meet the end of the stack before our limit, where code is not compiled yet: both are the same refusal.
    ["arrays", "81", 100_000, /nested too deep$/],
    ["maps", "a16161", 100_000, /nested too deep/],
    ["tags", "d81b826161", 50_000, /nested too deep/],
    ["shared values", "d81c81", 50_000, /nested too deep/],
    ["sets", "d9010281", 50_000, /nested too deep/],
    ["Map keys", "d90103a1", 50_000, /nested too deep/],
  ])("are refused at once: %s inside one another", (_, bytes, count, says) => {
    const start = performance.now();
    expect(() => decodeCbor(hex(bytes.repeat(count)))).toThrow(
      expect.objectContaining({
        code: "FLOW_ARTIFACT_CORRUPT",
        message: expect.stringMatching(says) as string,
      }),
    );
    expect(performance.now() - start).toBeLessThan(1_000);
  });

  it("cannot make the reader allocate: 200 arrays of length 2^32 - 1, and claims that nest", () => {
    const sparse = hex(`${name27("js.Array")}83 1affffffff 00 01`);
    const before = process.memoryUsage().rss;
    const many = decodeCbor(Buffer.concat([hex("98c8"), ...Array.from({ length: 200 }, () => sparse)])) as unknown[][];
    expect(many[199]).toHaveLength(4_294_967_295);
    const size = 200_000;
    const claim = Buffer.from([0x9a, size >> 24, size >> 16, size >> 8, size & 255]);
    const claims = Buffer.concat([...Array.from({ length: 900 }, () => claim), Buffer.alloc(size)]);
    expect(() => decodeCbor(claims)).toThrow("runs past the end");
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
  });

  it("do not reach prototypes", () => {
    decodeCbor(hex("a1695f5f70726f746f5f5fa168706f6c6c75746564f5"));
    decodeCbor(hex("a26b636f6e7374727563746f72a1697072 6f746f74797065a1616101 68746f537472696e6701"));
    expect(({} as { polluted?: unknown; a?: unknown }).polluted).toBeUndefined();
  });
});

describe("mutated payloads", () => {
  const seed = Number(process.env.MILLRACE_FUZZ_SEED ?? Date.now() % 1_000_000);
  const rounds = 20_000;

  it(`are decoded or refused, never more (seed ${seed})`, () => {
    console.info(`mutation fuzz: seed ${seed}, ${rounds} rounds (MILLRACE_FUZZ_SEED repeats them)`);
    const next = randomFrom(seed);
    const shared = { a: [1, 2.5] };
    const corpus = [
      encode({ a: [1, -1, 1.5, 0.1, "text", null, undefined, true], b: shared, c: shared }),
      encode([
        new Map<unknown, unknown>([
          ["a", 1],
          [1n, 2],
        ]),
        new Set(["x"]),
        new Set([{}]),
        new Map([["k", shared]]),
      ]),
      encode([new Date(0), new Date(Number.NaN), /a+/gi, new URL("https://a.example/b"), 2n ** 70n, -5n, Object(1n)]),
      encode([
        new Float64Array([1, 2]),
        new Uint16Array([1]),
        Buffer.from("abc"),
        new ArrayBuffer(3),
        new DataView(new ArrayBuffer(2)),
      ]),
      encode([
        Object.assign(new TypeError("t", { cause: shared }), { own: 1 }),
        new AggregateError([1], "m"),
        "\ud800",
        Object.assign(Object.create(null), { a: 1 }),
      ]),
      encode(Object.assign(new Array(300), { 7: "x" })),
      hex("d81b826661636d652e40a1616101"),
    ];
    let decodedCount = 0;
    let slowestMs = 0;
    for (let round = 0; round < rounds; round++) {
      const bytes = mutated(corpus[next(corpus.length)]!, corpus, next);
      const start = performance.now();
      let decoded: unknown;
      try {
        decoded = decodeCbor(bytes);
      } catch (error) {
        if (!isFlowError(error, "FLOW_ARTIFACT_CORRUPT") && !isFlowError(error, "FLOW_ARTIFACT_UNSUPPORTED"))
          throw new Error(`round ${round}: ${bytes.toString("hex")}`, { cause: error });
        continue;
      } finally {
        slowestMs = Math.max(slowestMs, performance.now() - start);
      }
      decodedCount++;
      const again = reencoded(decoded);
      if (again !== undefined && !encode(decodeCbor(again)).equals(again))
        throw new Error(`round ${round}: no fixed point: ${bytes.toString("hex")}`);
    }
    expect(decodedCount).toBeGreaterThan(rounds / 100);
    expect(slowestMs).toBeLessThan(1_000);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});

/** Some decoded values are refused when saved again, such as a Tagged that a mutation left inside a known tag. */
function reencoded(value: unknown): Buffer | undefined {
  try {
    return encode(value);
  } catch (error) {
    if (isFlowError(error, "FLOW_ARTIFACT_UNSERIALISABLE")) return undefined;
    throw error;
  }
}

function mutated(source: Buffer, corpus: readonly Buffer[], next: (bound: number) => number): Buffer {
  let bytes = Buffer.from(source);
  for (let edits = 1 + next(3); edits > 0; edits--) {
    const at = next(bytes.length);
    const kind = next(5);
    if (kind === 0) bytes[at] = next(256);
    else if (kind === 1) bytes[at]! ^= 1 << next(8);
    else if (kind === 2) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + next(3))]);
    else if (kind === 3)
      bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(next(at + 1), at), bytes.subarray(at)]);
    else {
      const other = corpus[next(corpus.length)]!;
      bytes = Buffer.concat([bytes.subarray(0, at), other.subarray(next(other.length))]);
    }
    if (bytes.length === 0) bytes = Buffer.from([next(256)]);
  }
  return bytes;
}

/** Numbers below a bound, the same for the same seed (mulberry32). */
function randomFrom(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  };
}
