import { expect, test } from "vitest";
import { tableInputs } from "./table-inputs.ts";

const table = { size: Float64Array.of(1, 2, 3), kind: ["b", "a", "b"], target: Float64Array.of(0, 1, 0) };

test("a table is told by names, kinds and the categories that are in it, in the order that is asked for", () => {
  const size = { name: "size", type: "number" };
  const kind = { name: "kind", type: "category", categories: ["a", "b"] };
  expect(tableInputs(table)).toEqual([size, kind, { name: "target", type: "number" }]);
  expect(tableInputs(table, ["kind", "size"])).toEqual([kind, size]);
});

test("a column that is not there is an error with a code", () => {
  expect(() => tableInputs(table, ["size", "toString"])).toThrow(
    expect.objectContaining({ code: "ML_DATA_NO_COLUMN", message: expect.stringContaining('"toString"') }),
  );
});
