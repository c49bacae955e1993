import { deepStrictEqual } from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { decode as cbor2Decode } from "cbor2";
import { decode as cborgDecode } from "cborg";
import { describe, expect, it, test } from "vitest";
import { decodeCbor } from "../../packages/core/src/artifact/cbor/decode.ts";
import { encodeCbor } from "../../packages/core/src/artifact/cbor/encode.ts";
import { keptValues, Money, refusedValues } from "./encoding-values.ts";

const goldenFile = new URL("../golden/encoding/values.json", import.meta.url);
const encode = (value: unknown): Buffer => Buffer.concat(encodeCbor(value));

/** Set UPDATE_GOLDEN=1 to add values; a changed line means that stored artifacts of older versions read as another value. */
if (process.env.UPDATE_GOLDEN === "1") {
  const lines = Object.fromEntries(keptValues.map(({ name, make }) => [name, encode(make()).toString("hex")]));
  writeFileSync(goldenFile, `${JSON.stringify(lines, null, 1)}\n`);
}
const golden = JSON.parse(readFileSync(goldenFile, "utf8")) as Readonly<Record<string, string>>;

describe("kept values", () => {
  it("are at least seventy", () => expect(keptValues.length).toBeGreaterThanOrEqual(70));

  test.each(keptValues)("$name has its golden bytes", ({ name, make }) => {
    expect(encode(make()).toString("hex")).toBe(golden[name]);
  });

  test.each(keptValues)("$name comes back equal and encodes to the same bytes", ({ make, check }) => {
    const bytes = encode(make());
    const decoded = decodeCbor(bytes);
    if (check === undefined) deepStrictEqual(decoded, make());
    else check(decoded);
    expect(encode(decoded).equals(bytes)).toBe(true);
  });

  it("have no golden bytes without a value", () => {
    expect(
      Object.keys(golden)
        .filter((name) => !keptValues.some((kept) => kept.name === name))
        .filter((name) => name !== "Float16Array"),
    ).toEqual([]);
  });

  it("keep what a private field holds through their codec", () => {
    expect((decodeCbor(encode(new Money(77n))) as Money).cents).toBe(77n);
  });

  it("keep a `__proto__` key as data", () => {
    const decoded = decodeCbor(encode(JSON.parse('{"__proto__":{"polluted":true}}'))) as object;
    expect(Object.getPrototypeOf(decoded)).toBe(Object.prototype);
    expect(Object.keys(decoded)).toEqual(["__proto__"]);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

describe("refused values", () => {
  it("are at least twenty-one", () => expect(refusedValues.length).toBeGreaterThanOrEqual(21));

  test.each(refusedValues)("$name is refused with its path", ({ make, says, path }) => {
    expect(() => encode(make())).toThrowError(
      expect.objectContaining({
        code: "FLOW_ARTIFACT_UNSERIALISABLE",
        message: expect.stringMatching(says) as string,
        context: { path },
      }),
    );
  });

  it("are named from the root that the caller gives", () => {
    expect(() => encodeCbor({ sock: () => 1 }, { path: "this.model" })).toThrow(
      "Cannot save this.model.sock: the function sock is not data",
    );
  });
});

/** Tags that the oracle must not know better than we do: it hands them over as they are. */
function opaqueTags(): unknown[] {
  const tags: unknown[] = [];
  for (const tag of [
    1, 2, 3, 27, 28, 29, 31, 32, 64, 68, 69, 70, 71, 72, 77, 78, 79, 84, 85, 86, 258, 259, 273, 21066, 33, 1234567,
  ]) {
    tags[tag] = (decodeValue: () => unknown) => ({ tag, value: decodeValue() });
  }
  return tags;
}

describe("other libraries read the golden bytes", () => {
  const entries = Object.entries(golden);

  it("cborg takes each payload as strict CBOR", () => {
    const unread = entries.filter(([, hex]) => {
      try {
        cborgDecode(Buffer.from(hex, "hex"), {
          tags: opaqueTags() as never,
          allowIndefinite: false,
          strict: true,
          rejectDuplicateMapKeys: true,
          useMaps: true,
        });
        return false;
      } catch {
        return true;
      }
    });
    expect(unread.map(([name]) => name)).toEqual([]);
  });

  it("cbor2 decodes each payload, and plain data to equal values", () => {
    const plain = [
      "zero",
      "minus zero",
      "255",
      "65536",
      "largest safe integer",
      "-1",
      "half float 1.5",
      "smallest half float",
      "single float",
      "double 0.1",
    ];
    plain.push(
      "smallest double",
      "infinities",
      "NaN",
      "BigInt of 65 bits",
      "text of four alphabets",
      "mixed array",
      "Date",
      "two equal objects",
    );
    for (const [name, hex] of entries) {
      const decoded: unknown = cbor2Decode(Buffer.from(hex, "hex"));
      const make = keptValues.find((kept) => kept.name === name)?.make;
      if (plain.includes(name)) deepStrictEqual(decoded, make!());
    }
  });

  const python = spawnSync("python3", ["-c", "import cbor2"]).status === 0;
  if (!python) console.warn("SKIPPED: Python's cbor2 is not installed, the cross-check with it does not run");
  it.skipIf(!python)("Python's cbor2 decodes each payload", () => {
    const script =
      "import sys, json, cbor2\nfor n, h in json.load(sys.stdin).items():\n cbor2.loads(bytes.fromhex(h)); print(n)";
    const names = execFileSync("python3", ["-c", script], { input: JSON.stringify(golden), encoding: "utf8" });
    expect(names.trim().split("\n")).toEqual(Object.keys(golden));
  });
});
