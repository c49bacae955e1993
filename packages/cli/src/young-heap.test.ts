import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";

/** Keeps some of what it makes for a while, as a run does with the tasks in hand, until V8 had every reason to grow. */
const busy = (setUp: string): string => `
  import { boundYoungHeap, youngBytes } from ${JSON.stringify(new URL("./young-heap.ts", import.meta.url).href)};
  ${setUp}
  const kept = [];
  for (let turn = 0; turn < 400; turn++) {
    for (let index = 0; index < 20_000; index++) kept[index] = { turn, index, text: String(turn * index) };
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  console.log(youngBytes());`;

function youngAfter(setUp: string): number {
  const words = ["--max-semi-space-size=64", "--input-type=module", "--eval", busy(setUp)];
  return Number(execFileSync(process.execPath, words, { encoding: "utf8" }));
}

test("the young generation stops growing at its bound, and not before", () => {
  const bounded = youngAfter("boundYoungHeap();");
  expect(bounded).toBeGreaterThanOrEqual(16 * 1024 ** 2);
  expect(bounded).toBeLessThanOrEqual(32 * 1024 ** 2);
  expect(youngAfter("boundYoungHeap().stop();")).toBeGreaterThanOrEqual(64 * 1024 ** 2);
});
