import { expect, test } from "vitest";
import { canonicalJson } from "./canonical-json.ts";

test.each([
  [{ b: 1, a: { d: [3, { z: 1, y: 2 }], c: null } }, '{"a":{"c":null,"d":[3,{"y":2,"z":1}]},"b":1}'],
  [{ ä: "\u0007\ud800", z: undefined }, '{"ä":"\\u0007\\ud800"}'],
  [new Date(0), '"1970-01-01T00:00:00.000Z"'],
  [[-0, 1e21, 0.1], "[0,1e+21,0.1]"],
  [JSON.parse('{"__proto__":1,"B":2,"10":3,"9":4}'), '{"10":3,"9":4,"B":2,"__proto__":1}'],
])("%j is written with sorted keys", (value, text) => {
  expect(canonicalJson(value)).toBe(text);
});

test.each([[Number.NaN], [Number.POSITIVE_INFINITY], [10n], [undefined], [Symbol("s")]])(
  "%s is refused, with its place",
  (value) => {
    const refused = { code: "FLOW_METADATA_BAD_ARGUMENT", message: expect.stringContaining("x.y[1]") };
    expect(() => canonicalJson({ y: [0, value] }, "x")).toThrow(expect.objectContaining(refused));
  },
);
