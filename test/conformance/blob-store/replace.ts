import { describe, expect, test } from "vitest";
import { type BlobStoreUnderTest, badKeys, bytes, synchronous, text } from "./suite.ts";

export function replaceVerb(under: BlobStoreUnderTest): void {
  const replace = (key: string, chunks: readonly Uint8Array[]) => synchronous(under.store)?.replaceSync(key, chunks);
  const isSynchronous = () => synchronous(under.store) !== undefined;

  describe("replace", () => {
    test.each(badKeys)("refuses the key %j and stores nothing", async (key) => {
      if (!isSynchronous()) return expect(under.store.capabilities.synchronous).toBe(false);
      expect(() => replace(key, [bytes(1)])).toThrow(expect.objectContaining({ code: "FLOW_STORAGE_BAD_KEY" }));
      expect((await under.store.list({ prefix: "" })).keys).toEqual([]);
    });
    test("puts other bytes in place of a value, shorter or longer, and changes no other", async () => {
      if (!isSynchronous()) return expect(under.store.capabilities.synchronous).toBe(false);
      await under.store.put("a/k", [text("first")]);
      await under.store.put("a/l", [text("other")]);
      replace("a/k", [text("the "), bytes(), text("second")]);
      expect(await under.store.get("a/k")).toEqual(text("the second"));
      replace("a/k", [text("3rd")]);
      expect(await under.store.get("a/k")).toEqual(text("3rd"));
      expect(await under.store.get("a/l")).toEqual(text("other"));
      expect((await under.store.list({ prefix: "" })).keys).toEqual(["a/k", "a/l"]);
      expect(await under.store.put("a/k", [text("fourth")])).toBe("exists");
    });
    test("of a missing key makes it", async () => {
      if (!isSynchronous()) return expect(under.store.capabilities.synchronous).toBe(false);
      replace("b/c/k", [bytes(1, 2)]);
      expect(await under.store.get("b/c/k")).toEqual(bytes(1, 2));
    });
    test("changes no value that was read before, and keeps no chunk", async () => {
      if (!isSynchronous()) return expect(under.store.capabilities.synchronous).toBe(false);
      await under.store.put("k", [bytes(1, 2, 3)]);
      const before = await under.store.get("k");
      const chunk = bytes(4, 5, 6);
      replace("k", [chunk]);
      chunk.fill(0);
      expect(before).toEqual(bytes(1, 2, 3));
      expect(await under.store.get("k")).toEqual(bytes(4, 5, 6));
    });
    test("is seen by a store that is opened later", async () => {
      if (!isSynchronous() || under.fixture.reopen === undefined)
        return expect(under.store.capabilities.synchronous && under.store.capabilities.persistent).toBe(false);
      await under.store.put("k", [bytes(1)]);
      replace("k", [bytes(2)]);
      const other = await under.fixture.reopen();
      expect(await other.get("k")).toEqual(bytes(2));
      await other.close();
    });
    test("after close is refused", async () => {
      if (!isSynchronous()) return expect(under.store.capabilities.synchronous).toBe(false);
      await under.store.close();
      expect(() => replace("k", [])).toThrow(expect.objectContaining({ code: "FLOW_STORAGE_CLOSED" }));
    });
  });
}
