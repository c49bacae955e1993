/**
 * What `ObjectBlobStore` needs of a service that keeps objects in buckets: one request, or one upload, a call. Each call is
 * tried once, and is given up by the `signal` of its limits. What goes wrong is thrown as a FlowError (`service-error.ts`).
 */
import type { BlobFacts, BlobStoreCapabilities, ByteRange } from "../blob-store.ts";
import type { LimitedCall } from "./limit-call.ts";

export interface ObjectFacts extends BlobFacts {
  readonly putAt: number;
  /** What tells this value from each that was or will be under its key. */
  readonly version: string;
}

export interface ObjectBody {
  readonly version: string;
  /** Of what comes: the whole value, or the part that was asked for. */
  readonly sizeBytes: number;
  readonly body: AsyncIterable<Uint8Array>;
}

export interface ObjectPage {
  readonly entries: readonly { readonly key: string; readonly facts: BlobFacts }[];
  /** What the service wants to hear to go on; undefined on the last page. */
  readonly token: string | undefined;
}

export interface ObjectQuery {
  readonly prefix: string;
  /** Only keys behind this one; a service may give others too. */
  readonly after: string;
  readonly limit: number;
  readonly token: string | undefined;
}

/** Does one of the calls of a value that goes in parts: under its limits, and again where it failed in a way that may pass. */
export type PartCalls = <T>(work: (call: LimitedCall) => Promise<T>) => Promise<T>;

export interface ObjectService {
  /** In words, for messages and without secrets: `Cannot read "k" of azure://container`. */
  action(verb: string, key: string): string;
  readonly capabilities: BlobStoreCapabilities;
  /** Whether `list` can begin behind a key, so that no page before it is read. */
  readonly listsAfter: boolean;
  /** Creates an object where there is none; answers whether it did. */
  create(key: string, bytes: Uint8Array, call: LimitedCall): Promise<boolean>;
  /**
   * As `create`, of parts of which each is as large as its forerunner or larger (but the last), each in memory of its own; a
   * bounded number of them is held. Nobody outside could repeat one of its calls: each is done by `calls`.
   */
  createOfParts(key: string, parts: AsyncIterable<Uint8Array>, calls: PartCalls): Promise<boolean>;
  /** `"outside"`: the object is there, and ends before the range begins. */
  read(key: string, range: ByteRange | undefined, call: LimitedCall): Promise<ObjectBody | "outside" | undefined>;
  head(key: string, call: LimitedCall): Promise<ObjectFacts | undefined>;
  list(query: ObjectQuery, call: LimitedCall): Promise<ObjectPage>;
  remove(key: string, call: LimitedCall): Promise<void>;
  /** Puts bytes where the version is the expected one (undefined: where nothing is); answers the new version. */
  replace(key: string, bytes: Uint8Array, expected: string | undefined, call: LimitedCall): Promise<string | undefined>;
  /** Makes an object count as put now; answers whether it is there. */
  renew(key: string, call: LimitedCall): Promise<boolean>;
  close(): void;
}
