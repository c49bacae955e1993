/**
 * What travels between a thread and the I/O thread. Values do not: they lie in the folders of the cache and of the spool, which
 * both sides know; only bytes of keys that are not kept nearby go with a message.
 */
import type { MessagePort } from "node:worker_threads";
import type { SerializedError } from "../../errors/flow-error.ts";
import type {
  BlobFacts,
  BlobPage,
  BlobStoreCapabilities,
  ByteRange,
  ListQuery,
  NamedValue,
  UnfinishedUpload,
  VersionedBlob,
} from "../blob-store.ts";

/** A value that is to be had; its size, where it is known, says how much memory it takes on its way. */
export interface FetchedValue {
  readonly key: string;
  readonly sizeBytes?: number;
}

/** What became of a value that was to be had: in the cache (or the spool) now, nowhere, or with wrong bytes. */
export type Fetched = "here" | "missing" | "damaged";

/** What is asked, with what is answered, by name. */
export interface RemoteCalls {
  capabilities: { readonly ask: object; readonly answer: BlobStoreCapabilities };
  /** Brings values into the cache; answers when all of them are there or known not to be. */
  fetch: { readonly ask: { readonly values: readonly FetchedValue[] }; readonly answer: readonly Fetched[] };
  /** Sees to it that values are in the store: uploads what lies in the spool, and looks for the others. */
  settle: { readonly ask: { readonly values: readonly NamedValue[] }; readonly answer: readonly Settled[] };
  put: {
    readonly ask: { readonly key: string; readonly bytes: Uint8Array };
    readonly answer: "created" | "exists";
  };
  /** As `put`, of a file in the spool. */
  putSpooled: {
    readonly ask: { readonly key: string; readonly spooled: string };
    readonly answer: "created" | "exists";
  };
  replace: { readonly ask: { readonly key: string; readonly bytes: Uint8Array }; readonly answer: undefined };
  get: {
    readonly ask: { readonly key: string; readonly range: ByteRange | undefined };
    readonly answer: Uint8Array | undefined;
  };
  stat: { readonly ask: { readonly key: string }; readonly answer: BlobFacts | undefined };
  list: { readonly ask: { readonly query: ListQuery }; readonly answer: BlobPage };
  /** Deletes those that were not put since `before` and are not about to be; answers which, or fails after so long. */
  removeOld: {
    readonly ask: { readonly keys: readonly string[]; readonly before: number; readonly limitMs: number };
    readonly answer: readonly string[];
  };
  /** Uploads that were begun and are not over; none of a store that has no such thing. */
  listUploads: { readonly ask: object; readonly answer: readonly UnfinishedUpload[] };
  endUpload: { readonly ask: { readonly key: string; readonly id: string }; readonly answer: undefined };
  delete: { readonly ask: { readonly key: string }; readonly answer: undefined };
  getVersioned: { readonly ask: { readonly key: string }; readonly answer: VersionedBlob | undefined };
  compareAndSet: {
    readonly ask: { readonly key: string; readonly bytes: Uint8Array; readonly expected: string | undefined };
    readonly answer: string | undefined;
  };
}

/** `created`: uploaded now; `exists`: it was there; `missing`: neither in the spool nor in the store. */
export type Settled = "created" | "exists" | "missing";

export type CallName = keyof RemoteCalls;

/** A call by its number; one without a number is a wish that nobody waits for. */
export type RemoteRequest = {
  [Name in CallName]: { readonly number?: number; readonly name: Name; readonly ask: RemoteCalls[Name]["ask"] };
}[CallName];

export type RemoteReply =
  | { readonly number: number; readonly answer: unknown }
  | { readonly number: number; readonly error: SerializedError };

/** What a thread hands over to be served: its requests come by the port, and whoever waits looks at the words. */
export interface RemoteLine {
  readonly port: MessagePort;
  /** Four words, as the constants below. */
  readonly words: SharedArrayBuffer;
}

/** Counted up and notified after each reply, and when the I/O thread is gone. */
export const ANSWERED_WORD = 0;
/** Counted up by the I/O thread while it lives, every second. */
export const BEAT_WORD = 1;
/** 1 when the I/O thread is gone. */
export const GONE_WORD = 2;
/** Counted up by the I/O thread whenever a value or a part of one has come or gone. */
export const PROGRESS_WORD = 3;
export const WORDS_BYTES = 16;
