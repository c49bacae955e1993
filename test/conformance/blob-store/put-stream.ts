import { describe, expect, test } from "vitest";
import { type BlobStoreUnderTest, badKeys, bytes, text } from "./suite.ts";

async function* pieces(...values: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void> {
  yield* values;
}

export function putStreamVerb(under: BlobStoreUnderTest): void {
  describe("putStream", () => {
    describe("bad arguments", () => {
      test.each(badKeys)("refuses the key %j and stores nothing", async (key) => {
        await expect(under.store.putStream(key, pieces(bytes(1)))).rejects.toMatchObject({
          code: "FLOW_STORAGE_BAD_KEY",
        });
        expect((await under.store.list({ prefix: "" })).keys).toEqual([]);
      });
    });

    describe("behaviour", () => {
      test("joins its pieces in order, empty ones too", async () => {
        expect(await under.store.putStream("k", pieces(bytes(1, 2), bytes(), bytes(3)))).toBe("created");
        expect(await under.store.get("k")).toEqual(bytes(1, 2, 3));
      });
      test("stores no pieces as a value of no bytes", async () => {
        expect(await under.store.putStream("none", pieces())).toBe("created");
        expect(await under.store.get("none")).toEqual(bytes());
      });
      test("takes a piece before the next one is made, which may lie in the same memory", async () => {
        async function* same(): AsyncGenerator<Uint8Array, void> {
          const memory = bytes(0, 0);
          for (let value = 1; value < 4; value++) yield memory.fill(value);
        }
        await under.store.putStream("k", same());
        expect(await under.store.get("k")).toEqual(bytes(1, 1, 2, 2, 3, 3));
      });
      test("changes nothing under a key that exists, and says so", async () => {
        await under.store.put("k", [text("first")]);
        expect(await under.store.putStream("k", pieces(text("second")))).toBe("exists");
        expect(await under.store.get("k")).toEqual(text("first"));
      });
      test("throws what its pieces throw, and stores nothing", async () => {
        const trouble = new Error("no more bytes");
        async function* broken(): AsyncGenerator<Uint8Array, void> {
          yield bytes(1, 2, 3);
          throw trouble;
        }
        await expect(under.store.putStream("k", broken())).rejects.toBe(trouble);
        expect(await under.store.get("k")).toBeUndefined();
        expect((await under.store.list({ prefix: "" })).keys).toEqual([]);
        expect(await under.store.putStream("k", pieces(bytes(4)))).toBe("created");
      });
      test("shows nothing before it has all pieces", async () => {
        async function* watched(): AsyncGenerator<Uint8Array, void> {
          yield bytes(1);
          expect(await under.store.get("k")).toBeUndefined();
          yield bytes(2);
        }
        expect(await under.store.putStream("k", watched())).toBe("created");
        expect(await under.store.get("k")).toEqual(bytes(1, 2));
      });
      test("of two at once one creates the value, and it is whole", async () => {
        const all = await Promise.all([
          under.store.putStream("k", pieces(bytes(1), bytes(2))),
          under.store.putStream("k", pieces(bytes(1), bytes(2))),
        ]);
        expect(all).toContain("created");
        if (under.store.capabilities.createOnce === "atomic") expect(all.toSorted()).toEqual(["created", "exists"]);
        expect(await under.store.get("k")).toEqual(bytes(1, 2));
      });
    });

    describe("of large values", () => {
      test("joins pieces of any size to the value that they are", async () => {
        const { value, made } = largeValue();
        expect(await under.store.putStream("k", made())).toBe("created");
        expect((await under.store.stat("k"))?.sizeBytes).toBe(value.length);
        expect(Buffer.compare((await under.store.get("k"))!, value)).toBe(0);
        expect(await under.store.get("k", { start: 999_990, end: 3_000_010 })).toEqual(
          Uint8Array.from(value.subarray(999_990, 3_000_010)),
        );
      });
      test("by many at once create it once, whole", async () => {
        const { value, made } = largeValue();
        const answers = await Promise.all(Array.from({ length: 20 }, () => under.store.putStream("k", made())));
        if (under.store.capabilities.createOnce === "atomic")
          expect(answers.filter((answer) => answer === "created")).toHaveLength(1);
        expect(Buffer.compare((await under.store.get("k"))!, value)).toBe(0);
        expect((await under.store.list({ prefix: "" })).keys).toEqual(["k"]);
      });
      test("by many at once are never mixed", async () => {
        async function* filled(index: number): AsyncGenerator<Uint8Array, void> {
          for (let piece = 0; piece < 5; piece++) yield new Uint8Array(700_000).fill(index);
        }
        const answers = await Promise.all(
          Array.from({ length: 8 }, (_, index) => under.store.putStream("k", filled(index))),
        );
        const read = (await under.store.get("k"))!;
        expect(read).toHaveLength(3_500_000);
        expect(read.every((byte) => byte === read[0])).toBe(true);
        expect(answers[read[0]!]).toBe("created");
      });
      test("change nothing under a key that exists", async () => {
        await under.store.put("k", [text("first")]);
        expect(await under.store.putStream("k", largeValue().made())).toBe("exists");
        expect(await under.store.get("k")).toEqual(text("first"));
      });
      test("that end in trouble leave nothing", async () => {
        const trouble = new Error("no more bytes");
        async function* broken(): AsyncGenerator<Uint8Array, void> {
          yield* largeValue().made();
          throw trouble;
        }
        await expect(under.store.putStream("k", broken())).rejects.toBe(trouble);
        expect((await under.store.list({ prefix: "" })).keys).toEqual([]);
        expect(await under.store.stat("k")).toBeUndefined();
      });
    });

    test("is refused after close", async () => {
      await under.store.close();
      await expect(under.store.putStream("k", pieces())).rejects.toMatchObject({ code: "FLOW_STORAGE_CLOSED" });
    });
  });
}

/** 5 MB and a few bytes, in pieces that end at no border of anything. */
function largeValue() {
  const value = Buffer.from(new Uint8Array(5_000_003).map((_, index) => (index * 31 + (index >> 11)) & 0xff));
  async function* made(): AsyncGenerator<Uint8Array, void> {
    for (let at = 0; at < value.length; at += 333_331) yield value.subarray(at, at + 333_331);
  }
  return { value, made };
}
