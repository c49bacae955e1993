/**
 * The one thread of a process that talks to buckets, started with the first line that is handed over. A worker thread hands its
 * lines to its parent; a worker process, and any other thread, has a thread of its own. It keeps no process alive, and ends
 * with it.
 */
import { fileURLToPath } from "node:url";
import { type MessagePort, Worker } from "node:worker_threads";
import type { BucketUrl } from "../config/bucket-url.ts";
import { threadCompileCache } from "../package/cache-folder.ts";
import { ANSWERED_WORD, GONE_WORD, type RemoteLine } from "../storage/remote/messages.ts";

/** Where a store in a bucket lies, and what of it is kept on this machine; plain data. */
export interface RemotePlace {
  readonly bucket: BucketUrl;
  /** Of its records. */
  readonly folder: string;
  readonly cacheFolder: string;
  readonly spoolFolder: string;
  readonly temporaryFolder: string;
  /** Its time says when values were last deleted from the bucket. */
  readonly sweepFile: string;
  readonly cacheBytes: number;
}

export interface StorageThreadData {
  /** Where compiled code is kept: the libraries of services are large. Undefined: nowhere. */
  readonly compileCache: string | undefined;
}

/** A line with the store that it leads to. */
export interface StorageLine extends RemoteLine {
  readonly place: RemotePlace;
}

type Connect = (line: StorageLine) => void;

/** Kept on `globalThis` under a `Symbol.for` key, so that another copy of this package in the same thread finds it too. */
const CONNECT = Symbol.for("millrace.connectStorage");
const holder = globalThis as { [CONNECT]?: Connect };

/** Hands a line over to the thread that talks to buckets. */
export function connectStorage(line: StorageLine): void {
  holder[CONNECT] ??= toThread();
  holder[CONNECT](line);
}

/** In a worker thread: lines go to its parent. */
export function relayStorage(post: (line: StorageLine, transfer: readonly MessagePort[]) => void): void {
  holder[CONNECT] = (line) => post(line, [line.port]);
}

function toThread(): Connect {
  let thread: Worker | undefined;
  let lines: Int32Array[] = [];
  const start = (): Worker => {
    const worker = new Worker(fileURLToPath(import.meta.resolve("@millrace/core/storage-thread")), {
      execArgv: [],
      workerData: { compileCache: threadCompileCache() } satisfies StorageThreadData,
    });
    // Of the thread that started it: there whoever shows warnings shows this one too.
    worker.on("message", (warning: string) => process.emitWarning(warning, { type: "MillraceWarning" }));
    // A thread that ended by an error is told by its lines; the next line starts another one.
    worker.on("error", () => {});
    worker.on("exit", () => {
      if (thread === worker) thread = undefined;
      for (const words of lines) tellGone(words);
      lines = [];
    });
    worker.unref(); // Only now: a listener keeps the process alive.
    return worker;
  };
  return (line) => {
    thread ??= start();
    lines.push(new Int32Array(line.words));
    thread.postMessage(line, [line.port]);
  };
}

/** Whoever stands still for an answer sees that none will come. */
function tellGone(words: Int32Array): void {
  Atomics.store(words, GONE_WORD, 1);
  Atomics.add(words, ANSWERED_WORD, 1);
  Atomics.notify(words, ANSWERED_WORD);
}
