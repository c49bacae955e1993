/** Following a run on a real store, with a writer that comes in between at the worst moments. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { followLogs } from "../../packages/core/src/client/logs.ts";
import type { MetadataReader, RunRow, TaskSequence } from "../../packages/core/src/metadata/metadata-store.ts";
import { LogStore } from "../cli/log-store.ts";

let store: LogStore;
let run: RunRow;
let task: TaskSequence;
beforeEach(async () => {
  store = await LogStore.create();
  run = await store.run();
  task = await store.begin(run, "start");
});
afterEach(() => store[Symbol.asyncDispose]());

/** The store, where something happens right after the nth answer of one method, before its caller sees it. */
function after(method: "runLogs" | "tasks" | "logEnd" | "run", nth: number, work: () => Promise<void>): MetadataReader {
  let calls = 0;
  return new Proxy(store.stores.metadata, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return async (...words: unknown[]) => {
        const answer: unknown = await value.apply(target, words);
        if (name === method && ++calls === nth) await work();
        return answer;
      };
    },
  });
}

async function followed(
  metadata: MetadataReader,
): Promise<{ readonly texts: readonly string[]; readonly end: string }> {
  const texts: string[] = [];
  const entries = followLogs(metadata, run, {}, { wait: async () => {} });
  while (true) {
    const next = await entries.next();
    if (next.done === true) return { texts, end: next.value.status };
    texts.push(next.value.text);
  }
}

test("what is written while the last page is read is not missed when the run ends with it", async () => {
  await store.write({ task, text: "first" });
  const metadata = after("runLogs", 1, async () => {
    await store.write({ task, text: "last words" });
    await store.finish(run, "failed");
  });
  expect(await followed(metadata)).toEqual({ texts: ["first", "last words"], end: "failed" });
});

test.each(["logEnd", "run", "tasks"] as const)(
  "what comes while the past is read is told once (after %s)",
  async (method) => {
    await store.write({ task, text: "first" });
    const metadata = after(method, 1, async () => {
      await store.write({ task, text: "second" });
      await store.write({ task: await store.begin(run, "fold", "0"), text: "third" });
      await store.finish(run, "failed");
    });
    expect(await followed(metadata)).toEqual({ texts: ["first", "second", "third"], end: "failed" });
  },
);

test("a run that is over is read to its end, over many pages", async () => {
  for (let part = 0; part < 10; part++)
    await store.write(...Array.from({ length: 20 }, (_, index) => ({ task, text: `${part * 20 + index}` })));
  const metadata = after("logEnd", 1, async () => {
    await store.write(...Array.from({ length: 100 }, (_, index) => ({ task, text: `${200 + index}` })));
    await store.finish(run, "cancelled");
  });
  const { texts, end } = await followed(metadata);
  expect([texts, end]).toEqual([Array.from({ length: 300 }, (_, index) => `${index}`), "cancelled"]);
});
