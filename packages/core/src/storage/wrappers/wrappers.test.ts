/** What wrappers do beyond the contract, which `test/conformance/blob-store` holds them to. */
import { describe, expect, test } from "vitest";
import { faultyBlobStore } from "../../../../../test/kit/faulty-blob-store.ts";
import { type PlannedFault, PlannedFaults } from "../../../../../test/kit/planned-faults.ts";
import { openMemoryBlobStore } from "../memory/memory-blob-store.ts";
import { meteredBlobStore, StoreMetrics } from "./metrics-blob-store.ts";
import { prefixBlobStore } from "./prefix-blob-store.ts";
import type { RetryOptions } from "./retry.ts";
import { retryBlobStore } from "./retry-blob-store.ts";

const value = Uint8Array.of(1, 2, 3);
const other = Uint8Array.of(1, 2, 4);

function faulty(plan: readonly PlannedFault[], options: RetryOptions = {}) {
  const memory = openMemoryBlobStore();
  const faults = new PlannedFaults(plan);
  return {
    memory,
    faults,
    store: retryBlobStore(faultyBlobStore(memory, faults), { wait: async () => {}, ...options }),
  };
}

async function* pieces(...values: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void> {
  yield* values;
}

describe("an acknowledgement that was lost", () => {
  const lost = { verb: "put", nth: 1, kind: "lose" } as const;

  test("of put: what is there is known as one's own", async () => {
    const { store, faults } = faulty([lost]);
    expect(await store.put("k", [value.subarray(0, 1), value.subarray(1)])).toBe("created");
    expect(faults.counts.get("put")).toBe(2);
  });
  test("of put: what another one put is not", async () => {
    const { store, memory } = faulty([{ ...lost, kind: "fail" }]);
    await memory.put("k", [other]);
    expect(await store.put("k", [value])).toBe("exists");
    expect(await store.get("k")).toEqual(other);
  });
  test("of compareAndSet: what is there is known as one's own, and has its version", async () => {
    const { store } = faulty([lost]);
    const version = await store.compareAndSet("k", value, undefined);
    expect(version).toBeDefined();
    expect(await store.getVersioned("k")).toEqual({ bytes: value, version });
    expect(await store.compareAndSet("k", other, version)).toBeDefined();
  });
  test("of compareAndSet: what another one set is not", async () => {
    const { store, memory } = faulty([{ ...lost, kind: "fail" }]);
    await memory.compareAndSet("k", other, undefined);
    expect(await store.compareAndSet("k", value, undefined)).toBeUndefined();
  });
});

describe("putStream", () => {
  test("is not tried again once its pieces were asked for, and says so", async () => {
    const { store, faults } = faulty([{ verb: "put", nth: 1, kind: "lose" }]);
    const refused = { code: "FLOW_STORAGE_UNAVAILABLE", context: { tries: 1 } };
    await expect(store.putStream("k", pieces(value))).rejects.toMatchObject(refused);
    expect(faults.counts.get("put")).toBe(1);
  });
  test("is tried again before", async () => {
    const { store } = faulty([{ verb: "put", nth: 1, kind: "fail" }]);
    expect(await store.putStream("k", pieces(value))).toBe("created");
    expect(await store.get("k")).toEqual(value);
  });
});

test("a deletion is not tried again when its time is over", async () => {
  const { store, faults } = faulty([{ verb: "delete", nth: 1, kind: "fail", isPersistent: true }]);
  await expect(store.delete("k", Date.now())).rejects.toMatchObject({ context: { tries: 1 } });
  expect(faults.counts.get("delete")).toBe(1);
});

test("figures count calls, failures, further tries and bytes by verb", async () => {
  const metrics = new StoreMetrics();
  const plan: readonly PlannedFault[] = [
    { verb: "get", nth: 1, kind: "fail" },
    { verb: "stat", nth: 1, kind: "fail", isPersistent: true },
  ];
  const store = meteredBlobStore(faulty(plan, { tries: 2, onRetry: metrics.retried }).store, metrics);
  await store.put("k", [value, other]);
  await store.put("k", [value, other]);
  await store.putStream("l", pieces(value, value));
  await store.get("k");
  await store.get("k", { start: 0, end: 2 });
  await store.get("missing");
  await expect(store.stat("k")).rejects.toThrow();
  expect(metrics.figures()).toEqual({
    put: { calls: 2, failures: 0, retries: 0, bytesIn: 6, bytesOut: 0 },
    putStream: { calls: 1, failures: 0, retries: 0, bytesIn: 6, bytesOut: 0 },
    get: { calls: 3, failures: 0, retries: 1, bytesIn: 0, bytesOut: 8 },
    stat: { calls: 1, failures: 1, retries: 1, bytesIn: 0, bytesOut: 0 },
  });
});

test("a prefix that is no key is refused", () => {
  for (const prefix of ["", "a/", "../a", "A"])
    expect(() => prefixBlobStore(openMemoryBlobStore(), prefix)).toThrow(
      expect.objectContaining({ code: "FLOW_STORAGE_BAD_KEY" }),
    );
});
