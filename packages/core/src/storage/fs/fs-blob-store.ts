/**
 * Values in a folder: the blob store of the embedded default.
 *
 * A key is the path of its file below the folder (keys are checked: no name that a user chose becomes a path). Files are
 * private (0600, folders 0700), written aside and linked into place, never reached through a link, and replaced only by
 * `replaceSync`, which repairs damage.
 * Files aside have capital letters in their names, which no key has, so that they can never be taken for values; those
 * of writers that died are harmless and stay until garbage collection. Not here: compression and digests (artifact/).
 */
import path from "node:path";
import { FlowError } from "../../errors/flow-error.ts";
import type {
  BlobFacts,
  BlobPage,
  BlobStoreCapabilities,
  ByteRange,
  ListQuery,
  SyncBlobStore,
  VersionedBlob,
} from "../blob-store.ts";
import { checkKey, checkLimit, checkRange, DEFAULT_LIST_LIMIT } from "../check-key.ts";
import { call, type FileSteps, type FileSystem, nodeFileSystem, runAsync, runSync } from "./file-calls.ts";
import { errnoOf, fileError, foreignFile } from "./file-error.ts";
import { type FolderQuery, listKeys } from "./list-keys.ts";
import { readValue } from "./read-value.ts";
import { beginAside, dropAside, finishAside, type WriteTarget, writeAll, writeOnce, writeOver } from "./write-once.ts";

export interface FsBlobStoreOptions {
  /** Where values are written aside; must be on the same file system. Default: `TMP` inside the folder. */
  readonly temporaryFolder?: string;
  /**
   * Whether what was put survives a power cut. Default true; false for copies of what is kept elsewhere: nothing is synced, and
   * after a crash of the machine a value may be cut or empty.
   */
  readonly isDurable?: boolean;
  /** The calls that the store is made of; the real ones unless a test wants to see them fail. */
  readonly fileSystem?: FileSystem;
}

/**
 * Opens a folder of values. Nothing is touched before the first call; the first `put` makes the folder.
 *
 * @param folder absolute, or relative to the working directory of now
 * @example
 * const store = openFsBlobStore(".millrace/blobs");
 * store.putSync("sha256/ab/abc…", [bytes]); // "created"
 */
export function openFsBlobStore(folder: string, options: FsBlobStoreOptions = {}): SyncBlobStore {
  return new FsBlobStore(folder, options);
}

class FsBlobStore implements SyncBlobStore {
  readonly capabilities: BlobStoreCapabilities = Object.freeze({
    synchronous: true,
    rangeReads: true,
    persistent: true,
    remote: false,
    createOnce: "atomic",
    compareAndSet: false,
    multipart: true,
  });
  readonly #root: string;
  readonly #temporaryFolder: string;
  readonly #fileSystem: FileSystem;
  readonly #isDurable: boolean;
  readonly #knownFolders = new Set<string>();
  #isClosed = false;

  constructor(folder: string, options: FsBlobStoreOptions) {
    this.#root = path.resolve(folder);
    this.#temporaryFolder = path.resolve(options.temporaryFolder ?? path.join(folder, "TMP"));
    this.#fileSystem = options.fileSystem ?? nodeFileSystem;
    this.#isDurable = options.isDurable ?? true;
  }

  async put(key: string, chunks: readonly Uint8Array[]): Promise<"created" | "exists"> {
    return this.#async("Cannot store a value", this.#file(key), this.#put(key, chunks));
  }

  async putStream(key: string, pieces: AsyncIterable<Uint8Array>): Promise<"created" | "exists"> {
    const target = this.#target(key);
    const take = <T>(steps: FileSteps<T>) => this.#async("Cannot store a value", target.file, steps);
    const aside = await take(beginAside(target));
    if (aside === undefined) return "exists";
    try {
      for await (const piece of pieces) await take(writeAll(aside.fd, [piece]));
    } catch (error) {
      await take(dropAside(aside));
      throw error;
    }
    return await take(finishAside(target, aside));
  }

  putSync(key: string, chunks: readonly Uint8Array[], meanwhile?: () => void): "created" | "exists" {
    return this.#sync("Cannot store a value", this.#file(key), this.#put(key, chunks, meanwhile));
  }

  replaceSync(key: string, chunks: readonly Uint8Array[]): void {
    this.#sync("Cannot replace a value", this.#file(key), writeOver(this.#target(key), chunks));
  }

  async get(key: string, range?: ByteRange, into?: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#async("Cannot read a value", this.#file(key), this.#get(key, range, into));
  }

  getSync(key: string, range?: ByteRange, into?: Uint8Array): Uint8Array | undefined {
    return this.#sync("Cannot read a value", this.#file(key), this.#get(key, range, into));
  }

  async stat(key: string): Promise<BlobFacts | undefined> {
    return this.#async("Cannot look for a value", this.#file(key), this.#stat(key));
  }

  statSync(key: string): BlobFacts | undefined {
    return this.#sync("Cannot look for a value", this.#file(key), this.#stat(key));
  }

  async list(query: ListQuery): Promise<BlobPage> {
    this.#checkOpen();
    const limit = query.limit ?? DEFAULT_LIST_LIMIT;
    checkLimit(limit);
    return this.#async(
      "Cannot list values",
      this.#root,
      this.#list({ prefix: query.prefix, after: query.after ?? "", limit, withFacts: query.withFacts === true }),
    );
  }

  async delete(key: string): Promise<void> {
    return this.#async("Cannot delete a value", this.#file(key), this.#delete(key));
  }

  async getVersioned(key: string): Promise<VersionedBlob | undefined> {
    throw this.#noVersions(key);
  }

  async compareAndSet(key: string): Promise<string | undefined> {
    throw this.#noVersions(key);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  #noVersions(key: string): FlowError {
    return new FlowError("FLOW_STORAGE_UNSUPPORTED", {
      message: `Cannot compare and set "${this.#file(key)}": a folder cannot`,
      hint: "Look at the capabilities of a store before: records that change belong into the metadata store",
    });
  }

  #put(key: string, chunks: readonly Uint8Array[], meanwhile?: () => void): FileSteps<"created" | "exists"> {
    return writeOnce(this.#target(key), chunks, meanwhile);
  }

  #target(key: string): WriteTarget {
    return {
      file: this.#file(key),
      temporaryFolder: this.#temporaryFolder,
      knownFolders: this.#knownFolders,
      root: this.#root,
      isDurable: this.#isDurable,
    };
  }

  *#get(key: string, range: ByteRange | undefined, into: Uint8Array | undefined): FileSteps<Uint8Array | undefined> {
    checkRange(range);
    const value = yield* readValue(this.#file(key), range, into);
    if (value === undefined) yield* this.#checkRoot();
    return value;
  }

  *#stat(key: string): FileSteps<BlobFacts | undefined> {
    const file = this.#file(key);
    try {
      const facts = yield* call("lstat", file);
      if (!facts.isFile()) throw foreignFile(file);
      return { sizeBytes: facts.size, putAt: facts.mtimeMs };
    } catch (error) {
      if (errnoOf(error) !== "ENOENT" && errnoOf(error) !== "ENOTDIR") throw error;
    }
    yield* this.#checkRoot();
    return undefined;
  }

  *#list(query: FolderQuery): FileSteps<BlobPage> {
    if (!(yield* this.#checkRoot())) return { keys: [] };
    return yield* listKeys(this.#root, query);
  }

  *#delete(key: string): FileSteps<void> {
    try {
      yield* call("unlink", this.#file(key));
    } catch (error) {
      if (errnoOf(error) !== "ENOENT" && errnoOf(error) !== "ENOTDIR") throw error;
    }
  }

  /**
   * Tells a store that never held a value (false: the folder was not made yet) from one whose folder is gone, moved or
   * unmounted: "missing" would then be a lie about every value.
   */
  *#checkRoot(): FileSteps<boolean> {
    try {
      yield* call("lstat", this.#root);
      this.#knownFolders.add(this.#root);
      return true;
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
      if (!this.#knownFolders.has(this.#root)) return false;
    }
    throw new FlowError("FLOW_STORAGE_UNAVAILABLE", {
      message: `Cannot read the blob store: its folder "${this.#root}" is gone`,
      hint: "Put the folder back, or mount it again",
      context: { path: this.#root },
    });
  }

  #file(key: string): string {
    this.#checkOpen();
    checkKey(key);
    return path.join(this.#root, key);
  }

  #checkOpen(): void {
    if (!this.#isClosed) return;
    throw new FlowError("FLOW_STORAGE_CLOSED", { message: `Cannot use the blob store "${this.#root}": it is closed` });
  }

  #sync<T>(action: string, file: string, steps: FileSteps<T>): T {
    try {
      return runSync(steps, this.#fileSystem.sync);
    } catch (error) {
      throw fileError(action, file, error);
    }
  }

  async #async<T>(action: string, file: string, steps: FileSteps<T>): Promise<T> {
    try {
      return await runAsync(steps, this.#fileSystem.async);
    } catch (error) {
      throw fileError(action, file, error);
    }
  }
}
