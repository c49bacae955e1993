import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeCbor } from "./cbor/decode.ts";
import { digestOf } from "./digest.ts";
import {
  type ItemPage,
  ItemPageWriter,
  PAGE_BYTES,
  PAGE_ITEMS,
  readItem,
  storedItem,
  storedItems,
} from "./item-pages.ts";
import { encodeValue } from "./value-codec.ts";

function pagesOf(values: Iterable<unknown>): readonly ItemPage[] {
  const writer = new ItemPageWriter({ path: "this.items" });
  const pages: ItemPage[] = [];
  for (const value of values) pages.push(...writer.add(value));
  return [...pages, ...writer.finish()];
}

const payloadOf = (page: ItemPage): Buffer => Buffer.concat(page.encoded.chunks);

describe("ItemPageWriter", () => {
  it("gives every item back, with the digest it has alone", () => {
    const values = fc.array(fc.oneof(fc.anything({ withMap: true, withTypedArray: true }), fc.string()), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(values, (items) => {
        const pages = pagesOf(items);
        expect(pages.map((page) => page.count).reduce((sum, count) => sum + count, 0)).toBe(items.length);
        for (const page of pages) {
          const payload = payloadOf(page);
          expect(page.encoded).toMatchObject({
            codec: "item-page",
            digest: digestOf([payload]),
            sizeBytes: payload.length,
          });
          for (let offset = 0; offset < page.count; offset++) {
            const item = items[page.first + offset];
            expect(readItem(payload, offset)).toStrictEqual(item);
            expect(page.itemDigests[offset]).toBe(encodeValue(item).digest);
            expect(digestOf([storedItem(payload, offset).payload])).toBe(page.itemDigests[offset]);
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it("cuts pages at 1,000 items", () => {
    const pages = pagesOf(Array.from({ length: 2_500 }, (_, index) => ({ index })));
    expect(pages.map(({ first, count }) => [first, count])).toEqual([
      [0, PAGE_ITEMS],
      [1_000, PAGE_ITEMS],
      [2_000, 500],
    ]);
    expect(readItem(payloadOf(pages[1]!), 7)).toEqual({ index: 1_007 });
  });

  it("cuts pages before they grow beyond 1 MiB, and gives a larger item a page of its own", () => {
    const small = Buffer.alloc(300_000, 1);
    const large = Buffer.alloc(PAGE_BYTES, 2);
    const pages = pagesOf([small, small, small, small, large, small]);
    expect(pages.map(({ first, count }) => [first, count])).toEqual([
      [0, 3],
      [3, 1],
      [4, 1],
      [5, 1],
    ]);
    expect(pages.filter((page) => page.count > 1).every((page) => page.encoded.sizeBytes <= PAGE_BYTES)).toBe(true);
    expect(pages[2]!.encoded.chunks.some((chunk) => chunk.buffer === large.buffer)).toBe(true);
    expect(readItem(payloadOf(pages[2]!), 0)).toEqual(large);
  });

  it("is not changed by a maker that uses one buffer for every item", () => {
    const buffer = Buffer.alloc(100_000);
    const items = function* () {
      for (let round = 0; round < 5; round++) yield buffer.fill(round);
    };
    const [page, ...rest] = pagesOf(items());
    expect(rest).toEqual([]);
    for (let offset = 0; offset < 5; offset++) expect((readItem(payloadOf(page!), offset) as Buffer)[0]).toBe(offset);
    expect(page!.encoded.digest).toBe(digestOf([payloadOf(page!)]));
  });

  it("gives no page without an item", () => expect(pagesOf([])).toEqual([]));

  it("gives equal pages for equal items, wherever they come from", () => {
    const [left, right] = [pagesOf(new Set(["a", "b"])), pagesOf(["a", "b"])];
    expect(left[0]!.encoded.digest).toBe(right[0]!.encoded.digest);
  });

  it("names the item that cannot be saved", () => {
    const writer = new ItemPageWriter({ path: "this.contenders" });
    writer.add(1);
    expect(() => writer.add({ fit: () => 1 })).toThrow(
      "Cannot save this.contenders[1].fit: the function fit is not data",
    );
    writer.add(2);
    expect(writer.count).toBe(2);
    expect(writer.finish()[0]!.count).toBe(2);
  });
});

describe("a page", () => {
  const page = pagesOf([{ a: 1 }, "text", new Float64Array([0.5])])[0]!;

  it("is CBOR that any reader can take apart", () => {
    expect(decodeCbor(payloadOf(page))).toEqual([
      ["cbor", Buffer.from("a1616101", "hex")],
      ["text", Buffer.from("text")],
      ["float64", Buffer.from(new Float64Array([0.5]).buffer)],
    ]);
    expect(payloadOf(page).toString("hex")).toBe(
      "83826463626f7244a161610182647465787444746578748267666c6f6174363448000000000000e03f",
    );
    expect(storedItems(payloadOf(page)).map((item) => item.codec)).toEqual(["cbor", "text", "float64"]);
  });

  it("is refused when it is none or has no such item", () => {
    const corrupt = expect.objectContaining({ code: "FLOW_ARTIFACT_CORRUPT" });
    expect(() => readItem(payloadOf(page), 3)).toThrow(corrupt);
    expect(() => readItem(payloadOf(page).subarray(0, -1), 2)).toThrow(corrupt);
    expect(() => readItem(Buffer.from("a0", "hex"), 0)).toThrow(corrupt);
    expect(() => storedItems(Buffer.concat([payloadOf(page), Buffer.from([0])]))).toThrow(corrupt);
    expect(() => storedItems(Buffer.from("9affffffff", "hex"))).toThrow(corrupt);
  });
});
