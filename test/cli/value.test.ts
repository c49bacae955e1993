import { expect, test } from "vitest";
import { jsonSafe, renderValue } from "../../packages/cli/src/render/value.ts";

test("what JSON holds stays as it is", () => {
  const value = { a: [1, "x", null, true], b: { c: 0.5 } };
  expect(jsonSafe(value)).toMatchObject({ value, notes: [], isExact: true });
});

test("what JSON cannot hold is written nearby and noted with its path", () => {
  class Point {
    x = 1;
  }
  const { value, notes, isExact } = jsonSafe({
    n: Number.NaN,
    z: -0,
    big: 10n,
    at: new Date(0),
    map: new Map([["k", 1]]),
    set: new Set([1]),
    bytes: new Uint8Array([1, 2]),
    row: new Float64Array([0.5]),
    point: new Point(),
    no: undefined,
  });
  expect(value).toEqual({
    n: null,
    z: 0,
    big: "10",
    at: "1970-01-01T00:00:00.000Z",
    map: [["k", 1]],
    set: [1],
    bytes: "AQI=",
    row: [0.5],
    point: { x: 1 },
    no: null,
  });
  expect(isExact).toBe(false);
  expect(notes.map(({ path, was }) => `${path} ${was}`)).toEqual([
    "$.n NaN",
    "$.z -0",
    "$.big bigint",
    "$.at Date",
    "$.map Map",
    "$.set Set",
    "$.bytes Uint8Array, here in base64",
    "$.row Float64Array",
    "$.point Point",
    "$.no undefined",
  ]);
});

test("cycles are cut, shared values are not", () => {
  const shared = { a: 1 };
  const cyclic: Record<string, unknown> = { one: shared, two: shared };
  cyclic.self = cyclic;
  const { value, notes } = jsonSafe(cyclic);
  expect(value).toEqual({ one: { a: 1 }, two: { a: 1 }, self: null });
  expect(notes).toHaveLength(1);
});

test("notes are bounded and a key __proto__ stays a key", () => {
  const { notes, isExact } = jsonSafe(new Array(1000).fill(Number.NaN));
  expect([notes.length, isExact]).toEqual([20, false]);
  const { value } = jsonSafe(JSON.parse('{"__proto__": 1}'));
  expect(JSON.stringify(value)).toBe('{"__proto__":1}');
});

test("the readable form is bounded and escapes controls", () => {
  const text = renderValue(
    { rows: Array.from({ length: 1e6 }, (_, index) => index), evil: "\x1b[2J" },
    { colours: false, width: 80 },
  );
  expect(text.length).toBeLessThan(1000);
  expect(text).toContain("more items");
  expect(text).not.toContain("\x1b");
});

test("the built core calls a stored instance by its own name, not by the bundler's", async () => {
  const built = new URL("../../packages/core/dist/index.js", import.meta.url).href;
  const { StoredInstance } = (await import(built)) as typeof import("../../packages/core/src/index.ts");
  const value = new StoredInstance("acme.Point@1", { x: 1 });
  expect(renderValue(value, { colours: false, width: 80 })).toMatch(/^StoredInstance \{/);
  expect(jsonSafe(value).notes[0]).toMatchObject({ path: "$", was: "StoredInstance" });
});
