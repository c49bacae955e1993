/**
 * Items of a foreach as pages (docs/formats/pages.md): a CBOR array of pairs, the codec of an item and its payload.
 *
 * Each item is encoded on its own, so that a child reads its item without the others, and an item has an identity of its
 * own. A value that several items share becomes a copy in each, as it would for the children
 * anyway. Not here: which task gets which item.
 */
import type { CodecId, Digest, EncodedArtifact } from "./artifact.ts";
import { ByteReader } from "./cbor/byte-reader.ts";
import { ByteWriter } from "./cbor/byte-writer.ts";
import { MAJOR } from "./cbor/tags.ts";
import { digestOf } from "./digest.ts";
import { type DecodeOptions, decodeValue, encodeValue } from "./value-codec.ts";

/** Codec of a page. */
export const ITEM_PAGE_CODEC: CodecId = "item-page";
/** A page is cut here, so that a child skips over few others and 100,000 items are 100 rows. */
export const PAGE_ITEMS = 1_000;
/** A page is cut before it grows beyond this; an item that is larger has a page of its own. */
export const PAGE_BYTES = 1024 * 1024;

/** Items `first` to `first + count - 1` of a foreach. */
export interface ItemPage {
  readonly first: number;
  readonly count: number;
  readonly encoded: EncodedArtifact;
  /** Identity of each item: the digest of its own payload, without the page around it. */
  readonly itemDigests: readonly Digest[];
}

export interface ItemPageOptions {
  /** What messages call the list, such as `this.contenders`; default `this`. */
  readonly path?: string;
  /** Refuse a larger item; bytes, default 2 GiB. */
  readonly maxBytes?: number;
}

/**
 * Makes pages from items that come one by one, from whatever iterable.
 *
 * @example
 * const writer = new ItemPageWriter({ path: "this.contenders" });
 * for (const item of items) for (const page of writer.add(item)) store(page);
 * for (const page of writer.finish()) store(page);
 */
export class ItemPageWriter {
  private readonly path: string;
  private readonly maxBytes: number | undefined;
  private readonly body = new ByteWriter(4096);
  private first = 0;
  private digests: Digest[] = [];

  constructor(options: ItemPageOptions = {}) {
    this.path = options.path ?? "this";
    this.maxBytes = options.maxBytes;
  }

  /** Number of items so far. */
  get count(): number {
    return this.first + this.digests.length;
  }

  /**
   * Adds an item and gives the pages that became full: none, one, or two when a large item ends a page and fills the next.
   *
   * Pages of large items show the memory of the item: store them before the next item is made.
   *
   * @throws what `encodeValue` throws, the path naming the item
   */
  add(value: unknown): readonly ItemPage[] {
    const item = encodeValue(value, {
      path: `${this.path}[${this.count}]`,
      ...(this.maxBytes === undefined ? {} : { maxBytes: this.maxBytes }),
    });
    const pages: ItemPage[] = [];
    const isOverfull = this.body.position + item.sizeBytes + ITEM_OVERHEAD > PAGE_BYTES;
    if (isOverfull && this.digests.length > 0) pages.push(this.cut());
    this.write(item);
    if (this.digests.length === PAGE_ITEMS || item.sizeBytes + ITEM_OVERHEAD > PAGE_BYTES) pages.push(this.cut());
    return pages;
  }

  /** The last page, when items are left over. */
  finish(): readonly ItemPage[] {
    return this.digests.length === 0 ? [] : [this.cut()];
  }

  private write(item: EncodedArtifact): void {
    const { body } = this;
    body.simple(MAJOR.array | 2);
    body.text(item.codec);
    body.reserve(9);
    body.head(MAJOR.bytes, item.sizeBytes);
    const isAlone = item.sizeBytes + ITEM_OVERHEAD > PAGE_BYTES;
    // An item that shares its page is copied: the page waits for others while the maker may use its buffer again.
    for (const chunk of item.chunks) {
      if (isAlone) body.raw(chunk);
      else body.copy(chunk);
    }
    this.digests.push(item.digest);
  }

  private cut(): ItemPage {
    const head = new ByteWriter(16);
    head.head(MAJOR.array, this.digests.length);
    const chunks = [...head.take(), ...this.body.take()];
    const sizeBytes = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
    const encoded = { codec: ITEM_PAGE_CODEC, digest: digestOf(chunks), sizeBytes, chunks };
    const page: ItemPage = { first: this.first, count: this.digests.length, encoded, itemDigests: this.digests };
    this.first += page.count;
    this.digests = [];
    return page;
  }
}

/** The most that stands around an item: head of the pair, codec of up to 64 characters with its head, head of the bytes. */
const ITEM_OVERHEAD = 1 + 2 + 64 + 9;

/** An item as it lies in a page. The payload is a view of the page. */
export interface StoredItem {
  readonly codec: CodecId;
  readonly payload: Uint8Array;
}

/**
 * Item `offset` of a page (0 is the first item of the page, not of the foreach); only this item is decoded.
 *
 * @throws FlowError FLOW_ARTIFACT_CORRUPT when the page is none or has fewer items; what `decodeValue` throws
 */
export function readItem(payload: Uint8Array, offset: number, options: DecodeOptions = {}): unknown {
  const item = storedItem(payload, offset);
  return decodeValue(item.codec, item.payload, options);
}

/** Codec and payload of an item, for those who want its digest or send it on. */
export function storedItem(payload: Uint8Array, offset: number): StoredItem {
  const reader = new ByteReader(payload);
  const count = reader.headOf(MAJOR.array);
  if (offset >= count) reader.corrupt(`the page has ${count} items, and item ${offset} of it was asked for`);
  for (let skipped = 0; skipped < offset; skipped++) {
    beginItem(reader);
    reader.slice(reader.headOf(MAJOR.text));
    reader.slice(reader.headOf(MAJOR.bytes));
  }
  return nextItem(reader);
}

/** All items of a page, undecoded, in order. */
export function storedItems(payload: Uint8Array): readonly StoredItem[] {
  const reader = new ByteReader(payload);
  const count = reader.headOf(MAJOR.array);
  reader.claim(count);
  const items = Array.from({ length: count }, () => nextItem(reader));
  if (reader.position !== reader.end) reader.corrupt("bytes follow the page");
  return items;
}

function nextItem(reader: ByteReader): StoredItem {
  beginItem(reader);
  const codec = reader.text(reader.headOf(MAJOR.text));
  return { codec, payload: reader.slice(reader.headOf(MAJOR.bytes)) };
}

function beginItem(reader: ByteReader): void {
  if (reader.headOf(MAJOR.array) !== 2) reader.corrupt("an item of a page needs a codec and bytes");
}
