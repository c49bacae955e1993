import { describe, expect, test } from "vitest";
import { type BlobStoreUnderTest, badKeys, bytes } from "./suite.ts";

export function deleteVerb(under: BlobStoreUnderTest): void {
  describe("delete", () => {
    describe("bad arguments", () => {
      test.each(badKeys)("refuses the key %j", async (key) => {
        await expect(under.store.delete(key)).rejects.toMatchObject({ code: "FLOW_STORAGE_BAD_KEY" });
      });
    });

    describe("behaviour", () => {
      test("takes one value away and leaves the others", async () => {
        await under.store.put("a/b", [bytes(1)]);
        await under.store.put("a/c", [bytes(2)]);
        await under.store.delete("a/b");
        expect(await under.store.get("a/b")).toBeUndefined();
        expect(await under.store.stat("a/b")).toBeUndefined();
        expect((await under.store.list({ prefix: "" })).keys).toEqual(["a/c"]);
      });
      test("of a missing key is no error", async () => {
        await under.store.delete("missing");
        await under.store.put("a/b", [bytes(1)]);
        await under.store.delete("a/c");
        await under.store.delete("a/b/c");
        expect((await under.store.list({ prefix: "" })).keys).toEqual(["a/b"]);
      });
      test("makes room for a new value under the key", async () => {
        await under.store.put("k", [bytes(1)]);
        await under.store.delete("k");
        expect(await under.store.put("k", [bytes(2)])).toBe("created");
        expect(await under.store.get("k")).toEqual(bytes(2));
      });
    });

    test("after close is refused; close itself may be called again", async () => {
      await under.store.close();
      await under.store.close();
      await expect(under.store.delete("k")).rejects.toMatchObject({ code: "FLOW_STORAGE_CLOSED" });
    });
  });
}
