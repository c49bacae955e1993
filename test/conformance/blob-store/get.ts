import { describe, expect, test } from "vitest";
import { type BlobStoreUnderTest, badKeys, bytes, synchronous } from "./suite.ts";

export function getVerb(under: BlobStoreUnderTest): void {
  describe("get", () => {
    describe("bad arguments", () => {
      test.each(badKeys)("refuses the key %j", async (key) => {
        await expect(under.store.get(key)).rejects.toMatchObject({ code: "FLOW_STORAGE_BAD_KEY" });
      });
      test.each([
        { start: -1, end: 1 },
        { start: 2, end: 1 },
        { start: 0.5, end: 1 },
        { start: 0, end: Number.NaN },
        { start: 0, end: Number.POSITIVE_INFINITY },
      ])("refuses the range %j", async (range) => {
        await under.store.put("k", [bytes(1, 2, 3)]);
        await expect(under.store.get("k", range)).rejects.toMatchObject({ code: "FLOW_STORAGE_BAD_RANGE" });
      });
    });

    describe("behaviour", () => {
      test("of a missing key is undefined, in an empty store and in a full one", async () => {
        expect(await under.store.get("missing")).toBeUndefined();
        await under.store.put("a/b", [bytes(1)]);
        expect(await under.store.get("a/c")).toBeUndefined();
        expect(await under.store.get("c/b")).toBeUndefined();
        expect(await under.store.get("a/b/c")).toBeUndefined();
        expect(await under.store.get("missing", { start: 0, end: 1 })).toBeUndefined();
      });
      test.each([
        [{ start: 0, end: 5 }, [0, 1, 2, 3, 4]],
        [{ start: 1, end: 3 }, [1, 2]],
        [{ start: 4, end: 5 }, [4]],
        [{ start: 2, end: 2 }, []],
        [{ start: 3, end: 100 }, [3, 4]],
        [{ start: 5, end: 6 }, []],
        [{ start: 50, end: 60 }, []],
      ])("of the range %j gives %j", async (range, expected) => {
        await under.store.put("k", [bytes(0, 1, 2), bytes(3, 4)]);
        expect(await under.store.get("k", range)).toEqual(bytes(...expected));
        const store = synchronous(under.store);
        if (store !== undefined) expect(store.getSync("k", range)).toEqual(bytes(...expected));
      });
      test("gives bytes of the caller's own: writing into them changes no value", async () => {
        await under.store.put("k", [bytes(1, 2, 3)]);
        (await under.store.get("k"))!.fill(0);
        expect(await under.store.get("k")).toEqual(bytes(1, 2, 3));
      });
      test("gives bytes that a Float64Array can lie over", async () => {
        await under.store.put("k", [new Uint8Array(Float64Array.of(1.5, -0, Number.NaN).buffer)]);
        const read = (await under.store.get("k"))!;
        expect(new Float64Array(read.buffer, read.byteOffset, 3)).toEqual(Float64Array.of(1.5, -0, Number.NaN));
      });
    });

    test("after close is refused", async () => {
      await under.store.close();
      await expect(under.store.get("k")).rejects.toMatchObject({ code: "FLOW_STORAGE_CLOSED" });
      const store = synchronous(under.store);
      if (store !== undefined)
        expect(() => store.getSync("k")).toThrow(expect.objectContaining({ code: "FLOW_STORAGE_CLOSED" }));
    });
  });
}
