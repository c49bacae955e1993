/** A store behind a network for tests: the real facade, cache, spool and I/O thread, over a folder that stands for the bucket. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { isValueKey } from "../../packages/core/src/artifact/payload-check.ts";
import type { SyncBlobStore } from "../../packages/core/src/storage/blob-store.ts";
import { openFsBlobStore } from "../../packages/core/src/storage/fs/fs-blob-store.ts";
import { CacheFolder } from "../../packages/core/src/storage/remote/cache-folder.ts";
import {
  ANSWERED_WORD,
  type CallName,
  GONE_WORD,
  type RemoteCalls,
  type RemoteLine,
} from "../../packages/core/src/storage/remote/messages.ts";
import { openRemoteBlobStore, type RemoteBlobStore } from "../../packages/core/src/storage/remote/remote-blob-store.ts";
import { RemoteClient, type RemoteClientOptions } from "../../packages/core/src/storage/remote/remote-client.ts";
import { openRemoteSweep } from "../../packages/core/src/storage/remote/remote-sweep.ts";
import { readSweepMark } from "../../packages/core/src/storage/remote/sweep-mark.ts";
import type { BlobSweep } from "../../packages/core/src/storage/sweep.ts";

export const REQUESTS = 0;
export const IN_FLIGHT = 1;
export const MOST_IN_FLIGHT = 2;
/** So many of the next requests are refused. */
export const REFUSALS = 3;
/** So many of the next values that are read come with a wrong bit. */
export const FLIPS = 4;

export interface RemoteThreadData {
  readonly bucket: string;
  readonly cache: string;
  readonly spool: string;
  readonly temporary: string;
  readonly mark: string;
  readonly latencyMs: number;
  readonly cacheBytes: number;
  readonly restMs: number;
  readonly counters: SharedArrayBuffer;
}

export interface RemoteUnderTest {
  readonly store: RemoteBlobStore;
  /** The bucket itself. */
  readonly bucket: SyncBlobStore;
  readonly folder: string;
  readonly counts: Int32Array;
  /** The same store as another thread sees it. */
  open(options?: Partial<RemoteClientOptions>): RemoteBlobStore;
  /**
   * What deletes in it.
   *
   * @param meanwhile is called when a deletion has begun, and before the bucket is asked
   */
  sweep(meanwhile?: () => void, limitMs?: number): BlobSweep;
  /** Ends its own I/O thread, as a defect would; `tells` says whether those who wait are told. */
  kill(tells?: boolean): Promise<void>;
  dispose(): Promise<void>;
}

class Interrupted extends RemoteClient {
  readonly #meanwhile: (() => void) | undefined;

  constructor(options: RemoteClientOptions, meanwhile: (() => void) | undefined) {
    super(options);
    this.#meanwhile = meanwhile;
  }

  override callSync<Name extends CallName>(
    name: Name,
    ask: RemoteCalls[Name]["ask"],
    limitMs?: number,
  ): RemoteCalls[Name]["answer"] {
    if (name === "removeOld") this.#meanwhile?.();
    return super.callSync(name, ask, limitMs);
  }
}

export function openRemoteUnderTest(
  options: {
    readonly latencyMs?: number;
    readonly cacheBytes?: number;
    readonly restMs?: number;
    readonly folder?: string;
    readonly ownThread?: boolean;
  } = {},
): RemoteUnderTest {
  const folder = options.folder ?? fs.mkdtempSync(path.join(os.tmpdir(), "millrace-remote-"));
  const data: RemoteThreadData = {
    bucket: path.join(folder, "bucket"),
    cache: path.join(folder, "cache"),
    spool: path.join(folder, "spool"),
    temporary: path.join(folder, "tmp"),
    mark: path.join(folder, "swept"),
    latencyMs: options.latencyMs ?? 0,
    cacheBytes: options.cacheBytes ?? 1024 ** 3,
    restMs: options.restMs ?? 10_000,
    counters: new SharedArrayBuffer(5 * 4),
  };
  let own: Worker | undefined;
  let lines: Int32Array[] = [];
  const connect = (line: RemoteLine): void => {
    lines.push(new Int32Array(line.words));
    if (options.ownThread === true) own ??= startThread();
    else shared ??= startThread();
    (own ?? shared)!.postMessage({ line, data }, [line.port]);
  };
  const open = (more: Partial<RemoteClientOptions> = {}): RemoteBlobStore =>
    openRemoteBlobStore({
      client: new RemoteClient({ connect, name: "the bucket", ...more }),
      cache: new CacheFolder({
        folder: data.cache,
        temporaryFolder: data.temporary,
        limitBytes: data.cacheBytes,
        restMs: data.restMs,
      }),
      spool: openFsBlobStore(data.spool, { temporaryFolder: data.temporary, isDurable: false }),
      isContent: isValueKey,
      name: "the bucket",
      sweepMark: () => readSweepMark(data.mark),
    });
  const sweep = (meanwhile?: () => void, limitMs?: number): BlobSweep =>
    openRemoteSweep({
      client: new Interrupted({ connect, name: "the bucket" }, meanwhile),
      spoolFolder: data.spool,
      temporaryFolder: data.temporary,
      markFile: data.mark,
      ...(limitMs === undefined ? {} : { limitMs }),
    });
  const kill = async (tells = true): Promise<void> => {
    const ended = own;
    own = undefined;
    await ended?.terminate();
    for (const words of tells ? lines : []) {
      Atomics.store(words, GONE_WORD, 1);
      Atomics.add(words, ANSWERED_WORD, 1);
      Atomics.notify(words, ANSWERED_WORD);
    }
    lines = [];
  };
  return {
    store: open(),
    bucket: openFsBlobStore(data.bucket, { isDurable: false }),
    folder,
    counts: new Int32Array(data.counters),
    open,
    sweep,
    kill,
    async dispose() {
      await kill();
      fs.rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The thread of all tests of a file: each start of one takes longer than most tests. */
let shared: Worker | undefined;

function startThread(): Worker {
  const thread = new Worker(fileURLToPath(new URL("./remote-thread.ts", import.meta.url)));
  thread.unref();
  return thread;
}
