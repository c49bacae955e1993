import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { TransferMemory } from "./transfer-memory.ts";

const PART = 1024;

/** Whether the memory of a part that has gone is given to the next one, of parts that have gone `between`. */
async function isKept(work: (memory: TransferMemory) => Promise<void>): Promise<boolean> {
  const memory = new TransferMemory(4 * PART, PART);
  const slow = await memory.take(PART); // As long as something is on its way, memory is kept.
  const gone = await memory.take(PART);
  gone.done();
  await work(memory);
  const next = await memory.take(PART);
  slow.done();
  return next.into === gone.into;
}

test("the memory of a part is used again", async () => {
  expect(await isKept(async () => {})).toBe(true);
  expect(await isKept((memory) => memory.run(2 * PART, turn))).toBe(true);
  expect(await isKept(async (memory) => (await memory.take(PART / 2)).done())).toBe(true);
});

test("memory that is kept for parts goes where others need the room", async () => {
  expect(await isKept((memory) => memory.run(3 * PART, turn))).toBe(false);
  expect(
    await isKept(async (memory) => {
      const small = await Promise.all([1, 2, 3, 4, 5].map(() => memory.take(PART / 2)));
      for (const room of small) room.done();
    }),
  ).toBe(false);
});

test("who waits for room gets the memory of the part that goes", async () => {
  const memory = new TransferMemory(2 * PART, PART);
  const [slow, first] = [await memory.take(PART), await memory.take(PART)];
  const waiting = memory.take(PART);
  first.done();
  expect((await waiting).into).toBe(first.into);
  slow.done();
});
