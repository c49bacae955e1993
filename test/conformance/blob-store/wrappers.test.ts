/** Every wrapper keeps the contract of the store that it wraps. */
import { openMemoryBlobStore } from "../../../packages/core/src/storage/memory/memory-blob-store.ts";
import { meteredBlobStore, StoreMetrics } from "../../../packages/core/src/storage/wrappers/metrics-blob-store.ts";
import { prefixBlobStore } from "../../../packages/core/src/storage/wrappers/prefix-blob-store.ts";
import { retryBlobStore } from "../../../packages/core/src/storage/wrappers/retry-blob-store.ts";
import { faultyBlobStore } from "../../kit/faulty-blob-store.ts";
import { type FaultKind, PlannedFaults } from "../../kit/planned-faults.ts";
import { blobStoreSuite } from "./suite.ts";

blobStoreSuite("retry", () => ({ store: retryBlobStore(openMemoryBlobStore()) }));
blobStoreSuite("retry on a store that fails at every other call", () => flaky("fail"));
blobStoreSuite("retry on a store that loses the answer of every other call", () => flaky("lose"));
blobStoreSuite("metrics", () => ({ store: meteredBlobStore(openMemoryBlobStore(), new StoreMetrics()) }));
blobStoreSuite("prefix", async () => {
  const below = openMemoryBlobStore();
  for (const key of ["a", "team", "team/b", "team/a.b/x", "team/a0", "zebra"]) await below.put(key, [Uint8Array.of(9)]);
  return { store: prefixBlobStore(below, "team/a"), maxKeyLength: 200 - "team/a/".length };
});

/** `putStream` is left in peace: what was begun cannot be begun again by a wrapper. */
function flaky(kind: FaultKind) {
  const plan = ["put", "get", "stat", "list", "delete"].flatMap((verb) =>
    Array.from({ length: 400 }, (_, index) => ({ verb, nth: 2 * index + 1, kind })),
  );
  const memory = openMemoryBlobStore();
  const faulty = faultyBlobStore(memory, new PlannedFaults(plan));
  faulty.putStream = memory.putStream.bind(memory);
  return { store: retryBlobStore(faulty, { wait: async () => {}, tries: 20 }) };
}
