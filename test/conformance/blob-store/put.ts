import { describe, expect, test } from "vitest";
import { type BlobStoreUnderTest, badKeys, bytes, goodKeys, synchronous, text } from "./suite.ts";

export function putVerb(under: BlobStoreUnderTest): void {
  describe("put", () => {
    describe("bad arguments", () => {
      test.each(badKeys)("refuses the key %j and stores nothing", async (key) => {
        await expect(under.store.put(key, [bytes(1)])).rejects.toMatchObject({ code: "FLOW_STORAGE_BAD_KEY" });
        expect((await under.store.list({ prefix: "" })).keys).toEqual([]);
      });
      test("refuses what is no text as a key", async () => {
        await expect(under.store.put(undefined as never, [])).rejects.toMatchObject({ code: "FLOW_STORAGE_BAD_KEY" });
        await expect(under.store.put(["a"] as never, [])).rejects.toMatchObject({ code: "FLOW_STORAGE_BAD_KEY" });
      });
    });

    describe("behaviour", () => {
      test.each(goodKeys)("accepts the key %j", async (key) => {
        if (key.length > (under.fixture.maxKeyLength ?? 200)) return;
        expect(await under.store.put(key, [text(key)])).toBe("created");
        expect(await under.store.get(key)).toEqual(text(key));
      });
      test("joins its chunks in order, empty ones too", async () => {
        await under.store.put("k", [bytes(1, 2), bytes(), bytes(3), bytes(), bytes()]);
        expect(await under.store.get("k")).toEqual(bytes(1, 2, 3));
      });
      test("stores no bytes as a value of no bytes", async () => {
        expect(await under.store.put("none", [])).toBe("created");
        expect(await under.store.put("empty", [bytes(), bytes()])).toBe("created");
        expect(await under.store.get("none")).toEqual(bytes());
        expect(await under.store.get("empty")).toEqual(bytes());
      });
      test("writes a part of a buffer, and only that part", async () => {
        const whole = bytes(9, 9, 1, 2, 3, 9);
        await under.store.put("k", [whole.subarray(2, 5)]);
        expect(await under.store.get("k")).toEqual(bytes(1, 2, 3));
      });
      test("does not keep its chunks: changing them later changes no value", async () => {
        const chunk = bytes(1, 2, 3);
        await under.store.put("k", [chunk]);
        chunk.fill(0);
        expect(await under.store.get("k")).toEqual(bytes(1, 2, 3));
      });
      test("takes thousands of chunks, and one of several MB", async () => {
        const many = Array.from({ length: 5_000 }, (_, index) => bytes(index & 0xff, index >> 8));
        const large = new Uint8Array(5_000_000).map((_, index) => (index * 31) & 0xff);
        await under.store.put("k", [...many, large]);
        const read = (await under.store.get("k"))!;
        expect(read.length).toBe(5_010_000);
        expect(Buffer.compare(read.subarray(0, 10_000), Buffer.concat(many))).toBe(0);
        expect(Buffer.compare(read.subarray(10_000), large)).toBe(0);
      });
      test("never replaces a value: the first one stays", async () => {
        expect(await under.store.put("k", [text("first")])).toBe("created");
        expect(await under.store.put("k", [text("second")])).toBe("exists");
        expect(await under.store.get("k")).toEqual(text("first"));
      });
      test("of one key by many at once creates it once, whole", async () => {
        const values = Array.from({ length: 20 }, (_, index) => new Uint8Array(100_000).fill(index));
        const answers = await Promise.all(values.map((value) => under.store.put("k", [value])));
        const read = (await under.store.get("k"))!;
        expect(read).toHaveLength(100_000);
        expect(read.every((byte) => byte === read[0])).toBe(true);
        expect(answers[read[0]!]).toBe("created");
        if (under.store.capabilities.createOnce === "atomic")
          expect(answers.filter((answer) => answer === "created")).toHaveLength(1);
      });
      test("of a key that is there makes it young", async () => {
        if (under.fixture.renewsAfterMs !== 0) return;
        await under.store.put("k", [text("kept")]);
        const { putAt } = (await under.store.stat("k"))!;
        // Clocks of services count seconds: it is put again until the next one has begun.
        await expect
          .poll(
            async () => {
              expect(await under.store.put("k", [text("kept")])).toBe("exists");
              return (await under.store.stat("k"))!.putAt;
            },
            { timeout: 10_000 },
          )
          .toBeGreaterThan(putAt!);
        expect(await under.store.get("k")).toEqual(text("kept"));
      });
      test("of many keys at once keeps each", async () => {
        const keys = Array.from({ length: 50 }, (_, index) => `d${index % 5}/k${index}`);
        await Promise.all(keys.map((key) => under.store.put(key, [text(key)])));
        for (const key of keys) expect(await under.store.get(key)).toEqual(text(key));
      });
      test("is seen by a store that is opened later", async () => {
        if (under.fixture.reopen === undefined) return expect(under.store.capabilities.persistent).toBe(false);
        await under.store.put("a/b", [text("kept")]);
        const other = await under.fixture.reopen();
        expect(await other.get("a/b")).toEqual(text("kept"));
        expect(await other.put("a/b", [text("other")])).toBe("exists");
        await other.close();
      });
      test("does the same without awaiting, where the store can", async () => {
        const store = synchronous(under.store);
        if (store === undefined) return expect(under.store.capabilities.synchronous).toBe(false);
        expect(store.putSync("s/k", [bytes(1), bytes(2, 3)])).toBe("created");
        expect(store.putSync("s/k", [bytes(4)])).toBe("exists");
        expect(await store.put("s/k", [bytes(5)])).toBe("exists");
        expect(store.getSync("s/k")).toEqual(bytes(1, 2, 3));
        expect(() => store.putSync("../x", [])).toThrow(expect.objectContaining({ code: "FLOW_STORAGE_BAD_KEY" }));
      });
    });

    test("after close is refused", async () => {
      await under.store.close();
      await expect(under.store.put("k", [])).rejects.toMatchObject({ code: "FLOW_STORAGE_CLOSED" });
      const store = synchronous(under.store);
      if (store !== undefined)
        expect(() => store.putSync("k", [])).toThrow(expect.objectContaining({ code: "FLOW_STORAGE_CLOSED" }));
    });
  });
}
