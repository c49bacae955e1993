import { createHash } from "node:crypto";
import { describe, expect, it, test } from "vitest";
import { unsupportedType } from "./cbor/unsupported-type.ts";
import { defineValueCodec } from "./codecs/value-codecs.ts";
import { decodeValue, encodeValue } from "./value-codec.ts";

const raw: readonly (readonly [string, unknown, string])[] = [
  ["bytes", Buffer.from([1, 2, 255]), "0102ff"],
  ["text", "é", "c3a9"],
  ["text", "", ""],
  ["uint8", new Uint8Array([1, 255]), "01ff"],
  ["uint8-clamped", new Uint8ClampedArray([1, 255]), "01ff"],
  ["int8", new Int8Array([-1]), "ff"],
  ["uint16", new Uint16Array([1]), "0100"],
  ["int16", new Int16Array([-2]), "feff"],
  ["uint32", new Uint32Array([1]), "01000000"],
  ["int32", new Int32Array([-2]), "feffffff"],
  ["uint64", new BigUint64Array([1n]), "0100000000000000"],
  ["int64", new BigInt64Array([-2n]), "feffffffffffffff"],
  ["float32", new Float32Array([1.5]), "0000c03f"],
  ["float64", new Float64Array([0.1]), "9a9999999999b93f"],
  ["cbor", { a: 1 }, "a1616101"],
  ["cbor", "\ud800", "d9011143eda080"],
  ["cbor", null, "f6"],
];

describe("encodeValue", () => {
  test.each(raw)("has codec %s", (codec, value, hex) => {
    const encoded = encodeValue(value);
    const payload = Buffer.concat(encoded.chunks);
    expect({ codec: encoded.codec, payload: payload.toString("hex"), sizeBytes: encoded.sizeBytes }).toEqual({
      codec,
      payload: hex,
      sizeBytes: hex.length / 2,
    });
    expect(encoded.digest).toBe(createHash("sha256").update(payload).digest("hex"));
    expect(decodeValue(codec, payload)).toEqual(value);
    expect(Object.getPrototypeOf(Object(decodeValue(codec, payload)))).toBe(Object.getPrototypeOf(Object(value)));
  });

  it("does not copy a large array, also when the digest is over several chunks", () => {
    const array = new Float64Array(20_000).fill(0.5);
    expect(encodeValue(array).chunks[0]!.buffer).toBe(array.buffer);
    const encoded = encodeValue({ array });
    expect(encoded.chunks.length).toBeGreaterThan(1);
    expect(encoded.digest).toBe(createHash("sha256").update(Buffer.concat(encoded.chunks)).digest("hex"));
  });

  it("gives arrays with different NaN bits one digest", () => {
    const foreign = new Float64Array(new BigUint64Array([0xfff8000000000001n, 0x7ff8000000000000n]).buffer);
    expect(encodeValue(foreign).digest).toBe(encodeValue(new Float64Array([Number.NaN, Number.NaN])).digest);
    const canonical = new Float64Array([Number.NaN, 1]);
    new BigUint64Array(canonical.buffer)[0] = 0x7ff8000000000000n;
    expect(encodeValue(canonical).chunks[0]!.buffer).toBe(canonical.buffer);
  });

  it("names the path", () => {
    expect(() => encodeValue(() => 1, { path: "this.score" })).toThrow(
      "Cannot save this.score: the function (anonymous) is not data",
    );
    expect(() => encodeValue(Object.assign(new Float64Array(2), { label: "x" }), { path: "this.weights" })).toThrow(
      "this.weights: it is a typed array with named properties",
    );
    expect(() => encodeValue(new Int32Array(new SharedArrayBuffer(8)))).toThrow("shared memory");
    expect(() => encodeValue(new Proxy(new Float64Array(1), {}))).toThrow("Proxy");
  });

  it("refuses what is larger than the limit", () => {
    for (const value of ["abcde", Buffer.alloc(5), [1, 2, 3, 4]]) {
      expect(encodeValue(value, { maxBytes: 5 }).sizeBytes).toBe(5);
      expect(() => encodeValue(value, { maxBytes: 4 })).toThrow(
        expect.objectContaining({ code: "FLOW_ARTIFACT_TOO_LARGE", context: { maxBytes: 4 } }),
      );
    }
  });
});

describe("decodeValue", () => {
  it("gives aligned memory of its own, wherever the payload lies", () => {
    const payload = Buffer.alloc(17).subarray(1);
    const array = decodeValue("float64", payload) as Float64Array;
    payload.fill(1);
    expect([...array]).toEqual([0, 0]);
    const bytes = decodeValue("bytes", payload) as Buffer;
    payload.fill(2);
    expect(bytes[0]).toBe(1);
  });

  it("says which Node.js has the type that this one lacks", () => {
    // Node.js 24 has all types: where a Float16Array is met, only Node.js 22 comes to this line.
    expect(() => unsupportedType("Float16Array")).toThrow(
      expect.objectContaining({ code: "FLOW_ARTIFACT_UNSUPPORTED", hint: "Use Node.js 24 or newer" }),
    );
  });

  it("refuses half elements, broken text and codecs that are not loaded", () => {
    expect(() => decodeValue("float64", Buffer.alloc(9))).toThrow(
      expect.objectContaining({ code: "FLOW_ARTIFACT_CORRUPT" }),
    );
    expect(() => decodeValue("text", Buffer.from([0xc3, 0x28]))).toThrow(
      expect.objectContaining({ code: "FLOW_ARTIFACT_CORRUPT" }),
    );
    expect(() => decodeValue("arrow", Buffer.alloc(9))).toThrow(
      expect.objectContaining({
        code: "FLOW_ARTIFACT_UNKNOWN_CODEC",
        hint: 'Import the package that defines the codec "arrow"',
      }),
    );
  });
});

describe("defineValueCodec", () => {
  class Volume {
    readonly litres: number;
    constructor(litres: number) {
      this.litres = litres;
    }
  }
  defineValueCodec<Volume>({
    id: "test/volume",
    matches: (value) => value instanceof Volume,
    encode: (volume) => [Buffer.from(`${volume.litres} l`)],
    decode: (payload) => new Volume(Number.parseFloat(Buffer.from(payload).toString())),
  });

  it("stores a whole value by its own codec, and nothing inside others", () => {
    const encoded = encodeValue(new Volume(2.5));
    expect(encoded.codec).toBe("test/volume");
    expect(Buffer.concat(encoded.chunks).toString()).toBe("2.5 l");
    expect(decodeValue("test/volume", Buffer.concat(encoded.chunks))).toEqual(new Volume(2.5));
    expect(() => encodeValue([new Volume(1)])).toThrow("Volume has no codec");
  });

  it("refuses built-in and malformed ids", () => {
    for (const id of ["cbor", "float64", "item-page", "", "A b", "../x"]) {
      expect(() => defineValueCodec({ id, matches: () => false, encode: () => [], decode: () => 1 })).toThrow(
        expect.objectContaining({ code: "FLOW_ARTIFACT_BAD_CODEC" }),
      );
    }
  });
});

describe("a value that was read before", () => {
  const known = encodeValue(Float64Array.of(1, Number.NaN, -0, 3));
  const read = () => decodeValue(known.codec, Buffer.concat(known.chunks)) as Float64Array;

  test("has the identity that it was read with, as long as it is the same", () => {
    expect(encodeValue(read(), { known })).toMatchObject({ codec: known.codec, digest: known.digest, sizeBytes: 32 });
  });

  test("has the identity of what it is now, once it was changed in place", () => {
    const changed = read();
    changed[0] = 2;
    expect(encodeValue(changed, { known }).digest).toBe(encodeValue(Float64Array.of(2, Number.NaN, -0, 3)).digest);
    const bits = new BigUint64Array(changed.buffer);
    bits[1] = 0xfff8_0000_0000_0001n; // another NaN is still NaN
    expect(encodeValue(changed, { known }).digest).toBe(encodeValue(Float64Array.of(2, Number.NaN, -0, 3)).digest);
  });

  test("has its own identity when its kind or size has changed", () => {
    expect(encodeValue(new Uint8Array(read().buffer), { known }).codec).toBe("uint8");
    expect(encodeValue(read().subarray(1), { known }).digest).toBe(
      encodeValue(Float64Array.of(Number.NaN, -0, 3)).digest,
    );
  });
});
