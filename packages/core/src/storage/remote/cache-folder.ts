/**
 * Copies of values of a store behind a network, in a folder of this machine: bounded in bytes, shared by all processes that
 * use the store here. What was used last stays. The folder may be deleted at any time: all of it can be had again.
 *
 * The age of a file says when it was used last, so that processes need not agree on anything; each makes room when it has
 * added so much that the limit may be passed. Nothing is synced: a file that a crash has cut is found by its digest.
 */
import fs from "node:fs";
import path from "node:path";
import { FlowError, isFlowError } from "../../errors/flow-error.ts";
import type { ByteRange, SyncBlobStore } from "../blob-store.ts";
import { openFsBlobStore } from "../fs/fs-blob-store.ts";

export interface CacheFolderOptions {
  readonly folder: string;
  /** For files that are being written; on the same file system. */
  readonly temporaryFolder: string;
  /** What the folder holds at most; bytes. Another process may pass it for a moment by what it adds. */
  readonly limitBytes: number;
  /** What was used within this time is being read, maybe, and stays; milliseconds, default 10,000. */
  readonly restMs?: number;
}

const REST_MS = 10_000;
/** A file that is read again and again is made young once in this time. */
const TOUCH_MS = 5_000;
/** Keys whose last use is remembered. */
const TOUCHED_KEPT = 10_000;
/** Room is made down to this part of the limit, and looked for after as much was added as it leaves. */
const KEPT_SHARE = 0.9;
const PAGE = 1_000;

export class CacheFolder {
  readonly #options: CacheFolderOptions;
  readonly #files: SyncBlobStore;
  readonly #touched = new Map<string, number>();
  /** What the folder held at most when it was looked at last; undefined before. */
  #bytes: number | undefined;
  /** What was added since that look began. */
  #new = 0;
  #making: Promise<void> | undefined;

  constructor(options: CacheFolderOptions) {
    this.#options = options;
    const { folder, temporaryFolder } = options;
    this.#files = openFsBlobStore(folder, { temporaryFolder, isDurable: false });
  }

  getSync(key: string, range?: ByteRange, into?: Uint8Array): Uint8Array | undefined {
    const bytes = this.#files.getSync(key, range, into);
    if (bytes !== undefined) this.#touch(key);
    return bytes;
  }

  async get(key: string, range?: ByteRange, into?: Uint8Array): Promise<Uint8Array | undefined> {
    const bytes = await this.#files.get(key, range, into);
    if (bytes !== undefined) this.#touch(key);
    return bytes;
  }

  /** Whether a value is here; it counts as used now. */
  has(key: string): boolean {
    const isHere = this.#files.statSync(key) !== undefined;
    if (isHere) this.#touch(key);
    return isHere;
  }

  sizeOf(key: string): number | undefined {
    return this.#files.statSync(key)?.sizeBytes;
  }

  /** @throws FlowError as the folder's store does; FLOW_STORAGE_FULL names the settings of the cache */
  keepSync(key: string, chunks: readonly Uint8Array[]): void {
    try {
      this.#files.putSync(key, chunks);
    } catch (error) {
      throw this.#fault(error);
    }
    this.#added(chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0));
  }

  /** What the pieces throw is thrown, and nothing is kept. */
  async keepStream(key: string, pieces: AsyncIterable<Uint8Array>, sizeBytes: number): Promise<void> {
    await this.#files.putStream(key, pieces).catch((error: unknown) => {
      throw this.#fault(error);
    });
    this.#added(sizeBytes);
  }

  /** Takes over a file of the same file system. */
  takeOver(key: string, file: string, sizeBytes: number): void {
    const target = path.join(this.#options.folder, key);
    try {
      fs.renameSync(file, target);
    } catch {
      try {
        fs.mkdirSync(path.dirname(target), { recursive: true, mode: 0o700 });
        fs.renameSync(file, target);
      } catch {
        fs.rmSync(file, { force: true }); // It is in the store, and can be had from there.
        return;
      }
    }
    this.#added(sizeBytes);
  }

  drop(key: string): void {
    fs.rmSync(path.join(this.#options.folder, key), { force: true });
  }

  /** Waits until room was made, where that is under way. */
  async settled(): Promise<void> {
    await this.#making;
  }

  /** Whoever reads a value did not ask for a file: a full disk is told as what the cache needs. */
  #fault(error: unknown): unknown {
    if (!isFlowError(error, "FLOW_STORAGE_FULL")) return error;
    const { folder, limitBytes } = this.#options;
    return new FlowError("FLOW_STORAGE_FULL", {
      message: `Cannot keep a copy of a value of the bucket in the cache "${folder}": no space left on its disk (ENOSPC)`,
      hint: `Free room there, or give the cache less than its ${limitBytes} bytes by MILLRACE_CACHE_BYTES (cacheBytes in millrace.json)`,
      context: { path: folder, limitBytes },
      cause: error,
    });
  }

  #touch(key: string): void {
    const now = Date.now();
    if (now - (this.#touched.get(key) ?? 0) < TOUCH_MS) return;
    if (this.#touched.size >= TOUCHED_KEPT) this.#touched.clear();
    this.#touched.set(key, now);
    try {
      fs.lutimesSync(path.join(this.#options.folder, key), now / 1_000, now / 1_000);
    } catch {
      // It went at this instant, or is another user's: it is read all the same.
    }
  }

  #added(sizeBytes: number): void {
    this.#new += sizeBytes;
    this.look();
  }

  /** Makes room, where it is needed: also for what processes before this one have left. */
  look(): void {
    if (this.#making !== undefined) return;
    if (this.#bytes !== undefined && this.#bytes + this.#new <= this.#options.limitBytes) return;
    this.#new = 0;
    this.#making = this.#makeRoom()
      .catch(() => {}) // A folder that went, or a disk that fails: reading and writing say so.
      .finally(() => {
        this.#making = undefined;
        this.look(); // What was added meanwhile may have been passed over.
      });
  }

  async #makeRoom(): Promise<void> {
    const { limitBytes, restMs = REST_MS } = this.#options;
    const files = await this.#all();
    let bytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    if (bytes > limitBytes) {
      const before = Date.now() - restMs;
      for (const { key, sizeBytes, usedAt } of files.sort((left, right) => left.usedAt - right.usedAt)) {
        if (bytes <= limitBytes * KEPT_SHARE || usedAt > before) break;
        await this.#files.delete(key);
        bytes -= sizeBytes;
      }
    }
    // Others add as well: so it is looked at again no later than when this process has added a tenth of the limit.
    this.#bytes = limitBytes * KEPT_SHARE;
  }

  async #all(): Promise<{ readonly key: string; readonly sizeBytes: number; readonly usedAt: number }[]> {
    const files: { key: string; sizeBytes: number; usedAt: number }[] = [];
    for (let after: string | undefined = ""; after !== undefined; ) {
      const page: Awaited<ReturnType<SyncBlobStore["list"]>> = await this.#files.list({
        prefix: "",
        after,
        limit: PAGE,
        withFacts: true,
      });
      page.keys.forEach((key, at) => {
        const { sizeBytes, putAt = 0 } = page.facts![at]!;
        files.push({ key, sizeBytes, usedAt: putAt });
      });
      after = page.next;
    }
    return files;
  }
}
