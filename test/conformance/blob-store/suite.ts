/**
 * What every blob store and every wrapper of one must do, clause by clause of `storage/blob-store.ts`. A back-end is
 * finished when its test file is a factory and a few lines, and this suite is green.
 */
import { afterEach, beforeEach, describe } from "vitest";
import type { BlobStore, SyncBlobStore } from "../../../packages/core/src/storage/blob-store.ts";
import { compareAndSetVerb } from "./compare-and-set.ts";
import { deleteVerb } from "./delete.ts";
import { getVerb } from "./get.ts";
import { listVerb } from "./list.ts";
import { putVerb } from "./put.ts";
import { putStreamVerb } from "./put-stream.ts";
import { replaceVerb } from "./replace.ts";
import { statVerb } from "./stat.ts";

export interface BlobStoreFixture {
  /** A store, empty, for one test. */
  readonly store: BlobStore;
  /** The same values through a second, independent store object; absent when they live in the first one. */
  readonly reopen?: () => Promise<BlobStore> | BlobStore;
  /** What is older is made young when it is put again; 0 where the suite can see that. */
  readonly renewsAfterMs?: 0;
  /** Of a part of a store, whose keys are longer below. Default 200. */
  readonly maxKeyLength?: number;
  /** Takes away what the factory made, after the store was closed. */
  readonly dispose?: () => Promise<void> | void;
}

/** What a verb's tests see: the store of the running test. */
export interface BlobStoreUnderTest {
  readonly store: BlobStore;
  readonly fixture: BlobStoreFixture;
}

export function blobStoreSuite(name: string, factory: () => Promise<BlobStoreFixture> | BlobStoreFixture): void {
  describe(`blob store: ${name}`, () => {
    let fixture: BlobStoreFixture;
    beforeEach(async () => {
      fixture = await factory();
    });
    afterEach(async () => {
      await fixture.store.close();
      await fixture.dispose?.();
    });
    const under: BlobStoreUnderTest = {
      get store() {
        return fixture.store;
      },
      get fixture() {
        return fixture;
      },
    };
    putVerb(under);
    putStreamVerb(under);
    replaceVerb(under);
    getVerb(under);
    statVerb(under);
    listVerb(under);
    deleteVerb(under);
    compareAndSetVerb(under);
  });
}

/** The store's synchronous side, where it has one. */
export function synchronous(store: BlobStore): SyncBlobStore | undefined {
  return store.capabilities.synchronous ? (store as SyncBlobStore) : undefined;
}

export const badKeys: readonly string[] = [
  "",
  "/",
  "a/",
  "/a",
  "a//b",
  ".",
  "..",
  "a/../b",
  "../a",
  "a/.",
  "a/..",
  "A",
  "ä",
  "a b",
  "a\\b",
  "a\0b",
  "a\nb",
  "~",
  "a".repeat(201),
  "tmp/TMP-1",
  "c:",
  "%2e%2e",
  "a/..%2fb",
];

export const goodKeys: readonly string[] = [
  "a",
  "0",
  "a.b",
  "-",
  "_",
  "...",
  ".hidden",
  "a..b",
  "sha256/ab/abcdef",
  "sha256/ab/abcdef.zst",
  "a".repeat(200),
  "b/c/d/e/f/g/h",
];

export function bytes(...values: readonly number[]): Uint8Array {
  return Uint8Array.from(values);
}

export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}
