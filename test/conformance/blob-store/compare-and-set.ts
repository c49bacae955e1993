import { describe, expect, test } from "vitest";
import { type BlobStoreUnderTest, badKeys, bytes } from "./suite.ts";

export function compareAndSetVerb(under: BlobStoreUnderTest): void {
  describe("compareAndSet", () => {
    describe("bad arguments", () => {
      test.each(badKeys)("refuses the key %j", async (key) => {
        const refused = { code: "FLOW_STORAGE_BAD_KEY" };
        await expect(under.store.compareAndSet(key, bytes(1), undefined)).rejects.toMatchObject(refused);
        await expect(under.store.getVersioned(key)).rejects.toMatchObject(refused);
      });
    });

    describe("behaviour", () => {
      test("is refused by a store that cannot do it", async () => {
        if (under.store.capabilities.compareAndSet) return;
        const refused = { code: "FLOW_STORAGE_UNSUPPORTED" };
        await expect(under.store.compareAndSet("k", bytes(1), undefined)).rejects.toMatchObject(refused);
        await expect(under.store.getVersioned("k")).rejects.toMatchObject(refused);
      });
      test("creates a key where nothing is, once", async () => {
        if (!under.store.capabilities.compareAndSet) return;
        expect(await under.store.getVersioned("k")).toBeUndefined();
        const version = await under.store.compareAndSet("k", bytes(1), undefined);
        expect(version).toBeTypeOf("string");
        expect(await under.store.compareAndSet("k", bytes(2), undefined)).toBeUndefined();
        expect(await under.store.getVersioned("k")).toEqual({ bytes: bytes(1), version });
      });
      test("replaces what was seen, and nothing else", async () => {
        if (!under.store.capabilities.compareAndSet) return;
        const first = await under.store.compareAndSet("k", bytes(1), undefined);
        const second = await under.store.compareAndSet("k", bytes(2, 2), first);
        expect(second).toBeTypeOf("string");
        expect(second).not.toBe(first);
        expect(await under.store.compareAndSet("k", bytes(3), first)).toBeUndefined();
        expect(await under.store.getVersioned("k")).toEqual({ bytes: bytes(2, 2), version: second });
        expect(await under.store.compareAndSet("other", bytes(3), first)).toBeUndefined();
        expect(await under.store.get("other")).toBeUndefined();
      });
      test("lets one of many win", async () => {
        if (!under.store.capabilities.compareAndSet) return;
        const first = await under.store.compareAndSet("k", bytes(0), undefined);
        const versions = await Promise.all(
          Array.from({ length: 10 }, (_, index) => under.store.compareAndSet("k", bytes(1, index), first)),
        );
        expect(versions.filter((version) => version !== undefined)).toHaveLength(1);
        const winner = versions.findIndex((version) => version !== undefined);
        expect(await under.store.get("k")).toEqual(bytes(1, winner));
      });
    });

    test("after close is refused", async () => {
      await under.store.close();
      const refused = { code: "FLOW_STORAGE_CLOSED" };
      await expect(under.store.compareAndSet("k", bytes(1), undefined)).rejects.toMatchObject(refused);
      await expect(under.store.getVersioned("k")).rejects.toMatchObject(refused);
    });
  });
}
