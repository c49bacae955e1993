import { describe, expect, test } from "vitest";
import { type BlobStoreUnderTest, badKeys, bytes, synchronous } from "./suite.ts";

export function statVerb(under: BlobStoreUnderTest): void {
  describe("stat", () => {
    describe("bad arguments", () => {
      test.each(badKeys)("refuses the key %j", async (key) => {
        await expect(under.store.stat(key)).rejects.toMatchObject({ code: "FLOW_STORAGE_BAD_KEY" });
      });
    });

    describe("behaviour", () => {
      test("gives the size of the whole value", async () => {
        await under.store.put("a/b", [bytes(1, 2), bytes(3)]);
        await under.store.put("empty", []);
        expect(await under.store.stat("a/b")).toMatchObject({ sizeBytes: 3 });
        expect(await under.store.stat("empty")).toMatchObject({ sizeBytes: 0 });
      });
      test("is the same without awaiting, where the store can do that", async () => {
        const store = synchronous(under.store);
        await under.store.put("a/b", [bytes(1, 2), bytes(3)]);
        if (store === undefined) return;
        expect(store.statSync("a/b")).toMatchObject({ sizeBytes: 3 });
        expect(store.statSync("a/c")).toBeUndefined();
        expect(() => store.statSync("../a")).toThrow(expect.objectContaining({ code: "FLOW_STORAGE_BAD_KEY" }));
        await under.store.close();
        expect(() => store.statSync("a/b")).toThrow(expect.objectContaining({ code: "FLOW_STORAGE_CLOSED" }));
      });
      test("of a missing key is undefined", async () => {
        expect(await under.store.stat("missing")).toBeUndefined();
        await under.store.put("a/b", [bytes(1)]);
        expect(await under.store.stat("a/c")).toBeUndefined();
        expect(await under.store.stat("a/b/c")).toBeUndefined();
      });
    });

    test("after close is refused", async () => {
      await under.store.close();
      await expect(under.store.stat("k")).rejects.toMatchObject({ code: "FLOW_STORAGE_CLOSED" });
    });
  });
}
