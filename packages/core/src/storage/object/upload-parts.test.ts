import { expect, test } from "vitest";
import { PARALLEL_PARTS, uploadParts } from "./upload-parts.ts";

async function* parts(count: number, made: () => void = () => {}): AsyncGenerator<Uint8Array, void> {
  for (let index = 0; index < count; index++) {
    made();
    yield Uint8Array.of(index);
  }
}

test("a few parts are under way at once, and the next one is made when there is room for it", async () => {
  let made = 0;
  let done = 0;
  let most = 0;
  const count = await uploadParts(
    parts(20, () => {
      made++;
      most = Math.max(most, made - done);
    }),
    async () => {
      await new Promise(setImmediate);
      done++;
    },
  );
  expect(count).toBe(20);
  expect(done).toBe(20);
  expect(most).toBe(PARALLEL_PARTS);
});

test("a part that fails ends it: no more are begun, and none is under way when it is told", async () => {
  let begun = 0;
  let ended = 0;
  const uploading = uploadParts(parts(20), async (_, index) => {
    begun++;
    await new Promise(setImmediate);
    ended++;
    if (index === 2) throw new Error("no room");
  });
  await expect(uploading).rejects.toThrow("no room");
  expect(ended).toBe(begun);
  expect(begun).toBeLessThan(10);
});
