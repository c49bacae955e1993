import { expect, test } from "vitest";
import { isRunId, newRunId } from "./run-id.ts";

test("the layout is that of the example in RFC 9562, appendix A.6", () => {
  // 2022-02-22 19:22:22 UTC, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F.
  const random = Uint8Array.from([0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f]);
  expect(newRunId(0x017f22e279b0, random)).toBe("017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
});

test("version and variant stand whatever the randomness is", () => {
  for (const byte of [0x00, 0xff, 0x55]) expect(isRunId(newRunId(1, new Uint8Array(10).fill(byte)))).toBe(true);
  expect(newRunId(0, new Uint8Array(10).fill(0xff))).toBe("00000000-0000-7fff-bfff-ffffffffffff");
});

test("ids of later milliseconds sort later, and a thousand of one are unique", () => {
  const ids = [1, 999, 1_000, 2 ** 40, 2 ** 48 - 1].map((ms) => newRunId(ms));
  expect(ids.toSorted()).toEqual(ids);
  expect(new Set(Array.from({ length: 1_000 }, () => newRunId(5))).size).toBe(1_000);
});

test.each([
  "",
  "Train",
  "017F22E2-79B0-7CC3-98C4-DC0C0C07398F",
  "017f22e2-79b0-4cc3-98c4-dc0c0c07398f",
  "017f22e2-79b0-7cc3-18c4-dc0c0c07398f",
  "017f22e279b07cc398c4dc0c0c07398f",
  " 017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
  "017f22e2-79b0-7cc3-98c4-dc0c0c07398f\n",
])("%j is no run id", (text) => {
  expect(isRunId(text)).toBe(false);
});
