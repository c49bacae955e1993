import { expect, test } from "vitest";
import { parseByteSize } from "./byte-size.ts";

test("decimal and binary units are told apart", () => {
  expect(parseByteSize("256MB")).toBe(256_000_000);
  expect(parseByteSize("256MiB")).toBe(268_435_456);
  expect(parseByteSize("1.5GB")).toBe(1_500_000_000);
  expect(parseByteSize("10 B")).toBe(10);
});

test("a number without a unit, a negative one and an unknown unit are no sizes", () => {
  for (const text of ["256", "-1MB", "1mb", "MB", "1 XB", ""]) expect(parseByteSize(text)).toBeUndefined();
});
