import { randomUUID } from "node:crypto";
import { isFlowError } from "../errors/flow-error.ts";
import type { BlobStore } from "./blob-store.ts";

/** What a store really makes of conditional writes. */
export interface StoreProbe {
  /** `honoured`: a key is created once; `ignored`: it is written again without a word; `refused`: the service says that it cannot. */
  readonly createOnce: "honoured" | "ignored" | "refused";
  /** Whether a key is replaced only where it holds what was seen. */
  readonly compareAndSet: boolean;
  /** What this costs, in sentences for a person; absent where nothing is missing. */
  readonly warning?: string;
}

/**
 * Finds out by writing whether a store honours conditional writes: some services that speak S3 ignore the condition without a
 * word, so that asking is no answer. It writes two small values of names that nobody else has, and takes them away again.
 *
 * @param store a back-end as it is opened when everything works, with `createOnce: "atomic"`
 * @throws FlowError of the store, where it cannot be read or written at all
 */
export async function probeStore(store: BlobStore): Promise<StoreProbe> {
  const name = `probe/${randomUUID()}`;
  const keys = [`${name}-1`, `${name}-2`] as const;
  try {
    // At the same time: the first command that uses a bucket waits for it.
    const [createOnce, compares] = await Promise.all([
      probeCreateOnce(store, keys[0]),
      probeCompareAndSet(store, keys[1]),
    ]);
    const compareAndSet = createOnce !== "refused" && compares;
    const warning = warningOf(createOnce, compareAndSet);
    return { createOnce, compareAndSet, ...(warning === undefined ? {} : { warning }) };
  } finally {
    // A store that cannot be written has nothing to delete, and its error says more than that of a deletion.
    await Promise.allSettled(keys.map((key) => store.delete(key)));
  }
}

async function probeCreateOnce(store: BlobStore, key: string): Promise<StoreProbe["createOnce"]> {
  try {
    await store.put(key, [Uint8Array.of(1)]);
    const second = await store.put(key, [Uint8Array.of(2)]);
    return second === "exists" && (await store.get(key))?.[0] === 1 ? "honoured" : "ignored";
  } catch (error) {
    if (isFlowError(error, "FLOW_STORAGE_UNSUPPORTED")) return "refused";
    throw error;
  }
}

async function probeCompareAndSet(store: BlobStore, key: string): Promise<boolean> {
  if (!store.capabilities.compareAndSet) return false;
  try {
    const first = await store.compareAndSet(key, Uint8Array.of(1), undefined);
    if (first === undefined || (await store.compareAndSet(key, Uint8Array.of(2), undefined)) !== undefined)
      return false;
    if ((await store.compareAndSet(key, Uint8Array.of(3), first)) === undefined) return false;
    const stale = await store.compareAndSet(key, Uint8Array.of(4), first);
    return stale === undefined && (await store.get(key))?.[0] === 3;
  } catch (error) {
    if (isFlowError(error, "FLOW_STORAGE_UNSUPPORTED")) return false;
    throw error;
  }
}

function warningOf(createOnce: StoreProbe["createOnce"], compareAndSet: boolean): string | undefined {
  if (createOnce !== "honoured")
    return [
      `This store ${createOnce === "ignored" ? "ignores" : "refuses"} conditional writes (If-None-Match).`,
      "Millrace looks before it writes, which costs one more request for each value.",
      "Values stay right, since their names follow from their contents;",
      "but when two machines write one key at the same moment, both believe that they were first:",
      "let only one machine at a time run flows and move tags in this store.",
    ].join(" ");
  return compareAndSet
    ? undefined
    : "This store creates keys once, but does not replace them conditionally (If-Match): nothing that needs compareAndSet works with it.";
}
