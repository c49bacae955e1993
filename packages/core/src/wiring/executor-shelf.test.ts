import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { BatchSize } from "../runner/batch-size.ts";
import type { Executor } from "../runner/executor.ts";
import type { HeardMessage } from "../runner/protocol.ts";
import { ExecutorShelf } from "./executor-shelf.ts";

beforeEach(() => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => vi.useRealTimers());

/** Says what is asked of it. */
function executor(log: string[], name: string, isKept = true): Executor {
  return {
    slots: 1,
    submit: () => ({ results: Promise.resolve([]), abort() {}, setWaiting() {}, end() {} }),
    onMessage() {},
    cancel: () => void log.push(`${name} cancels`),
    async rest() {
      log.push(`${name} rests`);
      return isKept;
    },
    renew: async () => void log.push(`${name} renews`),
    close: async () => void log.push(`${name} closes`),
  };
}

test("workers of runs inside steps go on as they are", async () => {
  const log: string[] = [];
  const shelf = new ExecutorShelf();
  const first = await shelf.take("a", async () => executor(log, "one"));
  await first.release();
  await (await shelf.take("a", async () => executor(log, "two"))).release();
  expect(log).toEqual([]);
  await shelf.close();
  expect(log).toEqual(["one closes"]);
});

test("those of programs begin anew, and are ended when nobody has wanted them for a while", async () => {
  const log: string[] = [];
  const shelf = new ExecutorShelf({ anewForMs: 1_000 });
  const first = await shelf.take("a", async () => executor(log, "one"));
  await first.release();
  await vi.advanceTimersByTimeAsync(900);
  const second = await shelf.take("a", async () => executor(log, "two"));
  await vi.advanceTimersByTimeAsync(5_000); // While they are used, no time runs.
  await second.release();
  expect(log).toEqual(["one rests", "one renews", "one rests"]);
  await vi.advanceTimersByTimeAsync(999);
  expect(log).toHaveLength(3);
  await vi.advanceTimersByTimeAsync(1);
  expect(log.at(-1)).toBe("one closes");
  await shelf.take("a", async () => executor(log, "three"));
  expect(log).toHaveLength(4);
});

test("the next run knows how long tasks took", async () => {
  const shelf = new ExecutorShelf({ anewForMs: 1_000 });
  const sizes = new BatchSize();
  const first = await shelf.take("a", async () => ({ ...executor([], "one"), sizes }));
  expect(first.executor.sizes).toBe(sizes);
  await first.release();
  expect((await shelf.take("a", async () => executor([], "two"))).executor.sizes).toBe(sizes);
});

test("a run that is over hears nothing more of its workers", async () => {
  const heard: HeardMessage[] = [];
  const tell: ((message: HeardMessage) => void)[] = [];
  const message: HeardMessage = { kind: "stuck", step: "start" };
  const talking: Executor = {
    ...executor([], "one"),
    onMessage: (listener) => void tell.push(listener),
    async rest() {
      for (const listener of tell) listener(message);
      return true;
    },
  };
  const shelf = new ExecutorShelf({ anewForMs: 1_000 });
  const { executor: lent, release } = await shelf.take("a", async () => talking);
  lent.onMessage((told) => void heard.push(told));
  for (const listener of tell) listener(message);
  expect(heard).toEqual([message]);
  await release();
  expect(heard).toEqual([message]);
});

test("no more sets are kept than it has room for; those that were used last stay", async () => {
  const log: string[] = [];
  const shelf = new ExecutorShelf({ most: 2, anewForMs: 1_000 });
  for (const name of ["one", "two", "three"]) await (await shelf.take(name, async () => executor(log, name))).release();
  expect(log).toEqual(["one rests", "two rests", "three rests", "one closes"]);
});

test("workers of which none can be kept, and those that were told to stop, are ended", async () => {
  const log: string[] = [];
  const shelf = new ExecutorShelf({ anewForMs: 1_000 });
  await (await shelf.take("a", async () => executor(log, "one", false))).release();
  const second = await shelf.take("a", async () => executor(log, "two"));
  second.executor.cancel();
  await second.release();
  expect(log).toEqual(["one rests", "one closes", "two cancels", "two closes"]);
});
