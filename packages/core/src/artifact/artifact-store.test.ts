import { randomBytes } from "node:crypto";
import { constants, zstdCompressSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { SyncBlobStore } from "../storage/blob-store.ts";
import { openMemoryBlobStore } from "../storage/memory/memory-blob-store.ts";
import { INLINE_LIMIT_BYTES, type NewBlob } from "./artifact.ts";
import { ArtifactStore } from "./artifact-store.ts";
import { blobKey, parseBlobKey } from "./blob-layout.ts";
import { compress, decompress, FRAME_BYTES } from "./compression.ts";
import { encodeValue } from "./value-codec.ts";

function open(): { readonly blobs: SyncBlobStore; readonly store: ArtifactStore } {
  const blobs = openMemoryBlobStore();
  return { blobs, store: new ArtifactStore(blobs) };
}

/** The same blobs with one of them changed: what a disk fault leaves. */
async function replaced(blobs: SyncBlobStore, key: string, change: (bytes: Uint8Array) => Uint8Array): Promise<void> {
  const bytes = blobs.getSync(key)!;
  await blobs.delete(key);
  blobs.putSync(key, [change(bytes)]);
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at]! ^= 1;
  return copy;
}

describe("ArtifactStore", () => {
  it("keeps small payloads in the row and nothing in the blob store", async () => {
    const { blobs, store } = open();
    const value = { score: 0.5 };
    const encoded = encodeValue(value);
    const row = store.storeSync(encoded);
    expect(row).toMatchObject({
      digest: encoded.digest,
      sizeBytes: encoded.sizeBytes,
      storedBytes: encoded.sizeBytes,
      compression: "none",
    });
    expect(await blobs.list({ prefix: "" })).toEqual({ keys: [] });
    expect(store.loadSync(encoded, row)).toEqual(value);
  });

  it("copies what rides in the row: the step may go on changing its value", () => {
    const { store } = open();
    const value = Buffer.from("before");
    const encoded = encodeValue(value);
    const row = store.storeSync(encoded);
    value.write("after!");
    expect(store.loadSync(encoded, row)).toEqual(Buffer.from("before"));
  });

  it("compresses small payloads where it saves a tenth", () => {
    const { store } = open();
    const encoded = encodeValue(Array.from({ length: 2_000 }, (_, index) => index % 7));
    const row = store.storeSync(encoded);
    expect(row.compression).toBe("zstd");
    expect(row.storedBytes).toBe(row.stored?.byteLength);
    expect(row.storedBytes).toBeLessThan(encoded.sizeBytes * 0.9);
    expect(store.loadSync(encoded, row)).toHaveLength(2_000);
    expect(store.storeSync(encodeValue("a".repeat(511))).compression).toBe("none");
    expect(store.storeSync(encodeValue("a".repeat(512))).compression).toBe("zstd");
    expect(store.storeSync(encodeValue(randomBytes(4_000))).compression).toBe("none");
  });

  it("puts payloads over the limit into the blob store before the row", async () => {
    const { blobs, store } = open();
    for (const value of [randomBytes(INLINE_LIMIT_BYTES + 1), "line\n".repeat(INLINE_LIMIT_BYTES)]) {
      const encoded = encodeValue(value);
      const row = store.storeSync(encoded);
      expect(row.stored).toBeUndefined();
      expect(row.compression).toBe(typeof value === "string" ? "zstd" : "none");
      expect((await blobs.stat(blobKey(row.digest, row.compression)))?.sizeBytes).toBe(row.storedBytes);
      expect(store.loadSync(encoded, row)).toEqual(value);
      expect(await store.load(encoded, row)).toEqual(value);
      expect(store.storeSync(encoded)).toEqual(row);
    }
    expect(store.storeSync(encodeValue(randomBytes(INLINE_LIMIT_BYTES))).stored).toBeDefined();
  });

  it("gives a value of many frames back", () => {
    const { store } = open();
    const array = new Float64Array((2.5 * FRAME_BYTES) / 8).map((_, index) => index % 1_000);
    const encoded = encodeValue({ before: "x", array, after: [1] });
    const row = store.storeSync(encoded);
    expect(row.compression).toBe("zstd");
    expect(row.storedBytes).toBeLessThan(encoded.sizeBytes / 2);
    expect(store.loadSync(encoded, row)).toEqual({ before: "x", array, after: [1] });
  });

  it("finds every changed byte, in the row and in the blob store", async () => {
    const { blobs, store } = open();
    const damaged = expect.objectContaining({
      code: "FLOW_ARTIFACT_DAMAGED",
      message: expect.stringContaining('artifact "model" of Train/17') as string,
    });
    const subject = 'artifact "model" of Train/17';
    for (const value of [{ a: 1 }, "abc".repeat(400)]) {
      const encoded = encodeValue(value);
      const row = store.storeSync(encoded);
      for (let at = 0; at < row.storedBytes; at++) {
        const wrong: NewBlob = { ...row, stored: flipped(row.stored!, at) };
        // A flipped bit in a frame's header may leave the same content, which is no damage to the value.
        try {
          expect(Buffer.from(store.payloadSync(encoded, wrong, { subject }))).toEqual(Buffer.concat(encoded.chunks));
        } catch (error) {
          expect(error).toEqual(damaged);
        }
      }
      expect(() => store.payloadSync(encoded, { ...row, stored: row.stored!.subarray(1) }, { subject })).toThrow(
        damaged,
      );
    }
    for (const value of [randomBytes(20_000), "abc".repeat(20_000)]) {
      const encoded = encodeValue(value);
      const row = store.storeSync(encoded);
      const key = blobKey(row.digest, row.compression);
      await replaced(blobs, key, (bytes) => flipped(bytes, bytes.length >> 1));
      expect(() => store.payloadSync(encoded, row, { subject })).toThrow(damaged);
      await expect(store.payload(encoded, row, { subject })).rejects.toEqual(damaged);
      await replaced(blobs, key, (bytes) => bytes.subarray(0, bytes.length - 1));
      expect(() => store.payloadSync(encoded, row, { subject })).toThrow(damaged);
    }
  });

  it("mends a damaged blob when the same value is stored again", async () => {
    const { blobs, store } = open();
    for (const value of [randomBytes(20_000), randomBytes(FRAME_BYTES + 1), "abc".repeat(20_000)]) {
      const encoded = encodeValue(value);
      const row = store.storeSync(encoded);
      const key = blobKey(row.digest, row.compression);
      for (const damage of [
        (bytes: Uint8Array) => flipped(bytes, bytes.length - 5),
        (bytes: Uint8Array) => bytes.subarray(0, bytes.length - 1),
        (bytes: Uint8Array) => Buffer.concat([bytes, bytes]),
        () => new Uint8Array(),
      ]) {
        await replaced(blobs, key, damage);
        expect(() => store.payloadSync(encoded, row)).toThrow(
          expect.objectContaining({ hint: expect.stringContaining("start a new run") as string }),
        );
        expect(new ArtifactStore(blobs).storeSync(encoded)).toEqual(row);
        expect(Buffer.compare(store.payloadSync(encoded, row), Buffer.concat(encoded.chunks))).toBe(0);
      }
    }
  });

  it("mends the form that an older row reads, and leaves sound bytes of another zstd alone", async () => {
    const { blobs } = open();
    for (const value of [randomBytes(20_000), "abc".repeat(20_000)]) {
      const encoded = encodeValue(value);
      const payload = Buffer.concat(encoded.chunks);
      const { compression } = new ArtifactStore(blobs).storeSync(encoded);
      const other = compression === "none" ? "zstd" : "none";
      blobs.putSync(blobKey(encoded.digest, other), [Buffer.from("damaged")]);
      new ArtifactStore(blobs).storeSync(encoded);
      const row = { digest: encoded.digest, sizeBytes: encoded.sizeBytes, storedBytes: 0, compression: other } as const;
      expect(new ArtifactStore(blobs).loadSync(encoded, row)).toEqual(value);

      const elsewhere = zstdCompressSync(payload, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
      blobs.replaceSync(blobKey(encoded.digest, "zstd"), [elsewhere]);
      new ArtifactStore(blobs).storeSync(encoded);
      expect(Buffer.from(blobs.getSync(blobKey(encoded.digest, "zstd"))!)).toEqual(elsewhere);
    }
  });

  it("looks at stored bytes once per digest and process", async () => {
    const { blobs } = open();
    const encoded = encodeValue(randomBytes(20_000));
    new ArtifactStore(blobs).storeSync(encoded);
    let reads = 0;
    const counting = new Proxy(blobs, {
      get(target, name) {
        if (name === "getSync") reads += 1;
        const member: unknown = Reflect.get(target, name, target);
        return typeof member === "function" ? (member.bind(target) as unknown) : member;
      },
    });
    const store = new ArtifactStore(counting);
    store.storeSync(encoded);
    const first = reads;
    store.storeSync(encoded);
    expect(first).toBeGreaterThan(0);
    expect(reads).toBe(first);
  });

  it("says that a value in the database is mended by a repair and a new run", () => {
    const { store } = open();
    const encoded = encodeValue({ score: 0.5 });
    const row = store.storeSync(encoded);
    expect(() => store.loadSync(encoded, { ...row, stored: flipped(row.stored!, 1) })).toThrow(
      expect.objectContaining({ hint: expect.stringContaining("flow store repair and start a new run") as string }),
    );
  });

  it("says what is missing", async () => {
    const { blobs, store } = open();
    const encoded = encodeValue(randomBytes(20_000));
    const row = store.storeSync(encoded);
    const missing = expect.objectContaining({
      code: "FLOW_ARTIFACT_MISSING",
      context: { digest: encoded.digest, codec: "bytes" },
    });
    expect(() => store.payloadSync(encoded, undefined)).toThrow(missing);
    await blobs.delete(blobKey(row.digest, row.compression));
    expect(() => store.payloadSync(encoded, row)).toThrow(missing);
    await expect(store.load(encoded, row)).rejects.toEqual(missing);
  });
});

describe("compress", () => {
  it("joins and cuts chunks of any size", () => {
    const text = Buffer.from("some text that repeats, ".repeat(400_000));
    const chunks = [
      text.subarray(0, 10),
      text.subarray(10, 5_000_000),
      text.subarray(5_000_000, 5_000_001),
      text.subarray(5_000_001),
    ];
    const frames = compress(chunks, text.length)!;
    expect(frames).toHaveLength(Math.ceil(text.length / FRAME_BYTES));
    expect(Buffer.compare(decompress(Buffer.concat(frames), text.length)!, text)).toBe(0);
  });

  it("stops when only the sample was worth it", () => {
    const chunks = [Buffer.alloc(300_000), randomBytes(6_000_000)];
    expect(compress(chunks, 6_300_000)).toBeUndefined();
  });

  it("refuses claims that are far from the stored bytes, and contents of another size", () => {
    const frames = Buffer.concat(compress([Buffer.alloc(10_000)], 10_000)!);
    for (const size of [0, 9_999, 10_001, 2 ** 40]) expect(decompress(frames, size)).toBeUndefined();
    expect(decompress(Buffer.concat([frames, Buffer.from([1])]), 10_000)).toBeUndefined();
    expect(decompress(Buffer.from("no frame at all"), 100)).toBeUndefined();
  });
});

describe("blobKey", () => {
  it("is read back by parseBlobKey, and nothing else is", () => {
    const { digest } = encodeValue("x");
    expect(blobKey(digest, "none")).toBe(`blobs/sha256/${digest.slice(0, 2)}/${digest}`);
    expect(parseBlobKey(blobKey(digest, "none"))).toEqual({ digest, compression: "none" });
    expect(parseBlobKey(blobKey(digest, "zstd"))).toEqual({ digest, compression: "zstd" });
    for (const key of [digest, `blobs/sha256/00/${digest}`, `${blobKey(digest, "none")}.gz`])
      expect(parseBlobKey(key)).toBeUndefined();
  });
});

describe("payloads that need not fit into memory", () => {
  const SIZE = 33 * 1024 * 1024 + 7;
  const wave = Buffer.alloc(SIZE, "a wave of text that comes again and again, ");
  const noise = randomBytes(SIZE);
  const late = Buffer.concat([wave.subarray(0, 1024 * 1024), noise.subarray(1024 * 1024)]);

  async function stored(store: ArtifactStore, bytes: Uint8Array, ref = encodeValue(bytes)): Promise<NewBlob> {
    return await store.storeFrom(ref, async (start, end) => bytes.slice(start, end));
  }

  async function joined(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
    const all: Uint8Array[] = [];
    for await (const piece of pieces) all.push(piece);
    return Buffer.concat(all);
  }

  it.each([
    ["text", wave, "zstd"],
    ["noise", noise, "none"],
    ["noise that begins as text", late, "none"],
    ["few bytes", Buffer.from("few"), "none"],
  ])("%s is stored as in one piece, and read in pieces", async (_, bytes, compression) => {
    const { blobs, store } = open();
    const row = await stored(store, bytes);
    expect(row).toMatchObject({ compression, sizeBytes: bytes.length });
    const whole = open();
    const other = whole.store.storeSync(encodeValue(bytes));
    expect([row.storedBytes, row.compression]).toEqual([other.storedBytes, other.compression]);
    expect((await blobs.list({ prefix: "" })).keys).toEqual((await whole.blobs.list({ prefix: "" })).keys);
    expect(Buffer.compare(await joined(store.pieces(encodeValue(bytes), row)), bytes)).toBe(0);
    expect(Buffer.compare(store.payloadSync(encodeValue(bytes), row), bytes)).toBe(0);
  });

  it("refuses bytes of another digest, and stores nothing", async () => {
    const { blobs, store } = open();
    for (const bytes of [wave, noise, Buffer.from("few")]) {
      const ref = encodeValue(Buffer.concat([bytes.subarray(1), Buffer.of(0)]));
      await expect(stored(store, bytes, ref)).rejects.toMatchObject({ code: "FLOW_ARTIFACT_DAMAGED" });
    }
    expect((await blobs.list({ prefix: "" })).keys).toEqual([]);
  });

  it.each([
    ["zstd", wave],
    ["none", noise],
  ] as const)("finds a wrong byte, a cut and a loss while reading (%s)", async (compression, bytes) => {
    const ref = encodeValue(bytes);
    const key = blobKey(ref.digest, compression);
    const changes: readonly ((bytes: Uint8Array) => Uint8Array)[] = [
      (all) => flipped(all, all.length - 40),
      (all) => all.subarray(0, all.length - 9),
      (all) => Buffer.concat([all, all.subarray(0, 5_000)]),
    ];
    for (const change of changes) {
      const { blobs, store } = open();
      const row = await stored(store, bytes);
      await replaced(blobs, key, change);
      await expect(joined(store.pieces(ref, row, { subject: "that one" }))).rejects.toMatchObject({
        code: "FLOW_ARTIFACT_DAMAGED",
        message: expect.stringContaining("that one"),
      });
    }
    const { blobs, store } = open();
    const row = await stored(store, bytes);
    await blobs.delete(key);
    await expect(joined(store.pieces(ref, row))).rejects.toMatchObject({ code: "FLOW_ARTIFACT_MISSING" });
  });

  it("does not take a damaged blob for one that is there already", async () => {
    const { blobs, store } = open();
    const row = await stored(store, noise);
    await replaced(blobs, blobKey(row.digest, "none"), (all) => flipped(all, 5));
    await expect(stored(store, noise)).rejects.toMatchObject({ code: "FLOW_ARTIFACT_DAMAGED" });
  });
});
