import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { memoryUsage } from "node:process";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { collectGarbage } from "../../util/collect-garbage.ts";
import type { BlobStore } from "../blob-store.ts";
import { openFsBlobStore } from "../fs/fs-blob-store.ts";
import { openMemoryBlobStore } from "../memory/memory-blob-store.ts";
import { ObjectBlobStore } from "../object/object-blob-store.ts";
import type { ObjectService } from "../object/object-service.ts";
import { uploadParts } from "../object/upload-parts.ts";
import { CacheFolder } from "./cache-folder.ts";
import { RemoteService } from "./remote-service.ts";
import type { CheckOf } from "./value-check.ts";

const MIB = 1024 * 1024;
let folder: string;

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-service-"));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

/** Bytes that are under way, and the most that ever were. */
class Held {
  most = 0;
  #bytes = 0;

  add(bytes: number): void {
    this.#bytes += bytes;
    this.most = Math.max(this.most, this.#bytes);
  }
}

/** Says when a piece is written, which is when it is wanted no more. */
class CountingCache extends CacheFolder {
  onWritten: (bytes: number) => void = () => {};

  override keepSync(key: string, chunks: readonly Uint8Array[]): void {
    super.keepSync(key, chunks);
    for (const chunk of chunks) this.onWritten(chunk.length);
  }

  override async keepStream(key: string, pieces: AsyncIterable<Uint8Array>, sizeBytes: number): Promise<void> {
    const { onWritten } = this;
    async function* counted(): AsyncGenerator<Uint8Array, void> {
      for await (const piece of pieces) {
        yield piece;
        onWritten(piece.length);
      }
    }
    await super.keepStream(key, counted(), sizeBytes);
  }
}

function open(
  store: BlobStore,
  memoryBytes: number,
  checkOf: CheckOf = () => ({ add: () => {}, end: () => undefined }),
) {
  const temporaryFolder = path.join(folder, "tmp");
  const spoolFolder = path.join(folder, "spool");
  const cache = new CountingCache({ folder: path.join(folder, "cache"), temporaryFolder, limitBytes: 1024 * MIB });
  const spool = openFsBlobStore(spoolFolder, { temporaryFolder, isDurable: false });
  return { cache, spool, service: new RemoteService({ store, cache, spool, spoolFolder, checkOf, memoryBytes }) };
}

/** A store of values that are made when they are asked for, of which the later parts come before the first ones. */
function endless(sizeBytes: number, held: Held): BlobStore {
  return Object.assign(openMemoryBlobStore(), {
    stat: async () => ({ sizeBytes }),
    get: async (_key: string, range: { readonly start: number; readonly end: number }) => {
      const bytes = Buffer.alloc(Math.min(range.end, sizeBytes) - range.start);
      held.add(bytes.length);
      for (let turns = (range.start / MIB) % 3; turns >= 0; turns--) await turn();
      return bytes;
    },
  });
}

test.each([
  ["of known size", true],
  ["of unknown size", false],
])("downloads of large values %s take no more memory than they may", async (_, isKnown) => {
  const held = new Held();
  const sizeBytes = 25 * MIB;
  const { service, cache } = open(endless(sizeBytes, held), 24 * MIB);
  cache.onWritten = (bytes) => held.add(-bytes);
  const values = ["a", "b", "c", "d", "e"].map((key) => (isKnown ? { key, sizeBytes } : { key }));
  const fetched = await service.perform({ name: "fetch", ask: { values } });
  expect(fetched).toEqual(values.map(() => "here"));
  for (const { key } of values) expect(cache.sizeOf(key)).toBe(sizeBytes);
  expect(held.most).toBe(24 * MIB);
});

test("a large value of known size is asked for by several parts at once, and by nothing else", async () => {
  const sizeBytes = 50 * MIB;
  const asked: number[] = [];
  let askedAtOnce = 0;
  const store = Object.assign(openMemoryBlobStore(), {
    stat: () => Promise.reject(new Error("the size is known")),
    get: async (_key: string, range: { readonly start: number; readonly end: number }) => {
      asked.push(range.start / MIB);
      await turn();
      askedAtOnce ||= asked.length;
      return Buffer.alloc(range.end - range.start);
    },
  });
  const { service, cache } = open(store, 160 * MIB);
  expect(await service.perform({ name: "fetch", ask: { values: [{ key: "key", sizeBytes }] } })).toEqual(["here"]);
  expect([askedAtOnce, asked]).toEqual([4, [0, 8, 16, 24, 32, 40, 48]]);
  expect(cache.sizeOf("key")).toBe(sizeBytes);
});

test.each([
  ["is gone", undefined, "missing"],
  ["has become shorter", 9 * MIB, "damaged"],
])("a large value of known size that %s is told as such, and not kept", async (_, leftBytes, told) => {
  const store = Object.assign(openMemoryBlobStore(), {
    get: async (_key: string, { start, end }: { readonly start: number; readonly end: number }) =>
      leftBytes === undefined ? undefined : Buffer.alloc(Math.max(0, Math.min(end, leftBytes) - start)),
  });
  const { service, cache } = open(store, 160 * MIB, () => {
    let bytes = 0;
    return {
      add: (piece) => {
        bytes += piece.length;
      },
      end: () => (bytes === 20 * MIB ? undefined : `has ${bytes} bytes`),
    };
  });
  const values = [{ key: "key", sizeBytes: 20 * MIB }];
  expect(await service.perform({ name: "fetch", ask: { values } })).toEqual([told]);
  expect(cache.sizeOf("key")).toBeUndefined();
});

test("small values of known size take what they are, and come many at a time", async () => {
  const held = new Held();
  const { service, cache } = open(endless(MIB / 2, held), 8 * MIB);
  cache.onWritten = (bytes) => held.add(-bytes);
  const values = Array.from({ length: 40 }, (_, at) => ({ key: `key${at}`, sizeBytes: MIB / 2 }));
  expect(await service.perform({ name: "fetch", ask: { values } })).toEqual(values.map(() => "here"));
  expect(held.most).toBe(8 * MIB);
});

test("a download that breaks off gives its memory back", async () => {
  const held = new Held();
  const store = endless(25 * MIB, held);
  const { service, cache } = open(store, 24 * MIB);
  const whole = cache.keepStream.bind(cache);
  cache.keepStream = async (key, pieces, sizeBytes) => {
    if (key !== "broken") return await whole(key, pieces, sizeBytes);
    for await (const _ of pieces) throw new Error("the disk is full");
  };
  const fetch = (key: string) => service.perform({ name: "fetch", ask: { values: [{ key }] } });
  await Promise.all(["a", "b", "c"].map(() => expect(fetch("broken")).rejects.toThrow("the disk is full")));
  expect(await fetch("whole")).toEqual(["here"]);
});

/** A service that answers uploads when it is told to, and holds meanwhile what it was given. */
class HoldingService {
  readonly keys = new Set<string>();
  readonly capabilities = openMemoryBlobStore().capabilities;
  #begun = 0;
  #answers: (() => void)[] = [];
  #isOpen = false;
  #heard = Promise.withResolvers<void>();

  action = (verb: string, key: string): string => `Cannot ${verb} ${key}`;
  head = async (): Promise<undefined> => undefined;
  close = (): void => {};

  async createOfParts(key: string, parts: AsyncIterable<Uint8Array>): Promise<boolean> {
    this.keys.add(key);
    await uploadParts(parts, (part) => this.#hold(part));
    return true;
  }

  async #hold(part: Uint8Array): Promise<void> {
    this.#begun++;
    this.#heard.resolve();
    this.#heard = Promise.withResolvers();
    if (!this.#isOpen) await new Promise<void>((answer) => this.#answers.push(answer));
    expect(part.length).toBeGreaterThan(0); // So long it is in use.
  }

  async begun(parts: number): Promise<void> {
    while (this.#begun < parts) await this.#heard.promise;
  }

  answer(): void {
    for (const answer of this.#answers.splice(0)) answer();
  }

  open(): void {
    this.#isOpen = true;
    this.answer();
  }
}

/** MiB of arrays that somebody holds, and those that V8 has not found yet. */
async function arraysMib(): Promise<number> {
  for (let rounds = 0; rounds < 4; rounds++) {
    collectGarbage();
    await turn();
  }
  return memoryUsage().arrayBuffers / MIB;
}

test.each([
  ["that go whole", { mib: 9, count: 8, limitMib: 36, atOnce: 4, begun: [8] }],
  ["of a few parts", { mib: 17, count: 2, limitMib: 40, atOnce: 1, begun: [3] }],
  ["of many parts", { mib: 65, count: 2, limitMib: 40, atOnce: 1, begun: [4, 8] }],
])("uploads of values %s hold no more memory than they may", async (_, { mib, count, limitMib, atOnce, begun }) => {
  const held = new HoldingService();
  const { service, spool } = open(new ObjectBlobStore(held as unknown as ObjectService), limitMib * MIB);
  const values = Array.from({ length: count }, (_value, at) => ({ key: `key${at}`, sizeBytes: mib * MIB }));
  for (const { key, sizeBytes } of values) spool.putSync(key, [new Uint8Array(sizeBytes)]);
  const before = await arraysMib();
  const settled = service.perform({ name: "settle", ask: { values } });
  for (const [at, parts] of begun.entries()) {
    if (at > 0) held.answer();
    await held.begun(parts);
  }
  // Nothing moves now: whoever was let in has as much as he ever has.
  await vi.waitFor(async () => expect((await arraysMib()) - before).toBeLessThan(limitMib + 1), { timeout: 4_000 });
  expect(held.keys.size).toBe(atOnce);
  held.open();
  expect(await settled).toEqual(values.map(() => "created"));
});
