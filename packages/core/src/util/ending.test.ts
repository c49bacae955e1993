import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { Ending } from "./ending.ts";

describe("work that races against an end", () => {
  test("gives its result, or fails as it fails", async () => {
    const ending = new Ending();
    expect(await ending.before(Promise.resolve(1))).toBe(1);
    await expect(ending.before(Promise.reject(new Error("its own")))).rejects.toThrow("its own");
  });

  test("rejects when the end comes, and at once when it has come; the first end counts", async () => {
    const ending = new Ending();
    const waiting = [ending.before(new Promise(() => {})), ending.before(new Promise(() => {}))];
    ending.come(new Error("first"));
    ending.come(new Error("second"));
    for (const each of [...waiting, ending.before(Promise.resolve(1))]) await expect(each).rejects.toThrow("first");
  });

  test("is not kept when it is done", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const ending = new Ending();
    const results: WeakRef<object>[] = [];
    for (let round = 0; round < 10; round++)
      await (async () => results.push(new WeakRef(await ending.before(Promise.resolve({ round })))))();
    // A reference holds its object until the turn is over.
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    expect(results.filter((result) => result.deref() !== undefined).length).toBeLessThan(2);
    ending.come(new Error("late"));
  });
});
