import { describe, expect, it } from "vitest";
import { categoryColumn, concatRows, numericColumn, rowCount, takeRows } from "./table.ts";

const table = { size: Float64Array.of(1, 2, 3), cat: ["a", "b", "c"] };

describe("tables", () => {
  it("takeRows keeps the order of the indexes and leaves the table alone", () => {
    expect(takeRows(table, [2, 0, 2])).toEqual({ size: Float64Array.of(3, 1, 3), cat: ["c", "a", "c"] });
    expect(table.cat).toEqual(["a", "b", "c"]);
    expect(() => takeRows(table, [3])).toThrow("Cannot take row 3 of a table with 3 rows");
  });

  it("concatRows puts tables below each other", () => {
    expect(concatRows([table, takeRows(table, [0])])).toEqual({
      size: Float64Array.of(1, 2, 3, 1),
      cat: ["a", "b", "c", "a"],
    });
  });

  it("names what is wrong with a column", () => {
    expect(() => rowCount({ a: Float64Array.of(1), b: ["x", "y"] })).toThrow('column "a" has 1 rows, column "b" has 2');
    expect(() => numericColumn(table, "sise")).toThrow('Cannot find column "sise"; the table has "size", "cat"');
    expect(() => numericColumn(table, "toString")).toThrow('Cannot find column "toString"');
    expect(() => numericColumn(table, "cat")).toThrow("it holds categories");
    expect(() => categoryColumn(table, "size")).toThrow("it holds numbers");
  });
});
