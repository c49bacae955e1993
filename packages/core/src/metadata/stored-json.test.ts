import { describe, expect, test } from "vitest";
import { readShaped } from "./stored-json.ts";

describe("an object that must have fields", () => {
  const shape = { error: { code: "text", message: "text" }, list: "list", number: "number" } as const;
  const good = { error: { code: "A", message: "b", more: 1 }, list: [], number: 0, more: null };

  test("is read with all of them and whatever else it has", () => {
    expect(readShaped(JSON.stringify(good), "run.failure", shape)).toEqual(good);
  });

  test.for<readonly [unknown, string]>([
    [{}, "error"],
    [{ ...good, error: null }, "error"],
    [{ ...good, error: [] }, "error.code"],
    [{ ...good, error: { code: "A" } }, "error.message"],
    [{ ...good, list: {} }, "list"],
    [{ ...good, number: "0" }, "number"],
  ])("is damage when it is %j", ([value, field]) => {
    expect(() => readShaped(JSON.stringify(value), "run.failure", shape)).toThrow(
      expect.objectContaining({
        code: "FLOW_METADATA_CORRUPT",
        message: `Cannot read the records: "run.failure" holds an object without "${field}"`,
      }),
    );
  });
});
