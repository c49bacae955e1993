import { describe, expect, test } from "vitest";
import { type BlobStoreUnderTest, bytes } from "./suite.ts";

/** "-" and "." stand before "/", digits and letters behind it: an order by folders would differ. */
const keys = ["a-b", "a.b", "a/b", "a/b0", "a/c/d", "a/c/e", "a0", "ab/c", "b", "sha256/00/00aa", "sha256/01/01bb.zst"];

export function listVerb(under: BlobStoreUnderTest): void {
  describe("list", () => {
    describe("bad arguments", () => {
      test.each([0, -1, 1.5, Number.NaN])("refuses the limit %d", async (limit) => {
        await expect(under.store.list({ prefix: "", limit })).rejects.toMatchObject({ code: "FLOW_STORAGE_BAD_RANGE" });
      });
    });

    describe("behaviour", () => {
      test("of an empty store is one empty page", async () => {
        expect(await under.store.list({ prefix: "" })).toEqual({ keys: [] });
        expect(await under.store.list({ prefix: "a/" })).toEqual({ keys: [] });
      });
      test("gives all keys, ascending by code unit", async () => {
        for (const key of keys.toReversed()) await under.store.put(key, [bytes(1)]);
        expect(await under.store.list({ prefix: "" })).toEqual({ keys: [...keys].sort() });
      });
      test.each(["a", "a/", "a/c", "a/c/", "a/c/e", "sha256/0", "sha256/01/01bb.zst", "x", "a/c/e/f", "../"])(
        "gives the keys that begin with %j",
        async (prefix) => {
          for (const key of keys) await under.store.put(key, [bytes(1)]);
          expect((await under.store.list({ prefix })).keys).toEqual(
            [...keys].sort().filter((key) => key.startsWith(prefix)),
          );
        },
      );
      test.each([1, 2, 3, keys.length - 1, keys.length, keys.length + 1])(
        "in pages of %d gives each key once, in order",
        async (limit) => {
          for (const key of keys) await under.store.put(key, [bytes(1)]);
          const seen: string[] = [];
          let after: string | undefined;
          for (let pages = 0; pages <= keys.length; pages++) {
            const page = await under.store.list({ prefix: "", limit, ...(after === undefined ? {} : { after }) });
            expect(page.keys.length).toBeLessThanOrEqual(limit);
            seen.push(...page.keys);
            after = page.next;
            if (after === undefined) break;
            expect(after).toBe(page.keys.at(-1));
          }
          expect(seen).toEqual([...keys].sort());
        },
      );
      test("gives size and age of each key when asked for them", async () => {
        await under.store.put("a/b", [bytes(1, 2)]);
        await under.store.put("c", [bytes(1, 2, 3)]);
        const { keys: found, facts } = await under.store.list({ prefix: "", withFacts: true });
        expect(found).toEqual(["a/b", "c"]);
        expect(facts).toEqual([await under.store.stat("a/b"), await under.store.stat("c")]);
        expect(facts?.map(({ sizeBytes }) => sizeBytes)).toEqual([2, 3]);
      });
      test.each(["", "a", "a-", "a/", "a/b", "a/c/d", "a/zzz", "sha256/00/zzzz", "zzz"])(
        "after %j gives only later keys",
        async (after) => {
          for (const key of keys) await under.store.put(key, [bytes(1)]);
          expect((await under.store.list({ prefix: "", after })).keys).toEqual(
            [...keys].sort().filter((key) => key > after),
          );
        },
      );
    });

    test("after close is refused", async () => {
      await under.store.close();
      await expect(under.store.list({ prefix: "" })).rejects.toMatchObject({ code: "FLOW_STORAGE_CLOSED" });
    });
  });
}
