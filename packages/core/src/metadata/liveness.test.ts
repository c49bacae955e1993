import { describe, expect, test } from "vitest";
import type { RunnerIdentity } from "../events/run-record.ts";
import { HEARTBEAT_INTERVAL_MS, HEARTBEAT_LIMIT_MS, type Liveness, livenessOf } from "./liveness.ts";

const self: RunnerIdentity = { host: "mill", pid: 10, bootId: "b", pidNamespace: "pid:[1]", startedAt: "5" };
const runner: RunnerIdentity = { ...self, pid: 7, startedAt: "99" };
const NOW = 1_000_000_000;

function here(isAlive: Liveness["isAlive"], changes: Partial<RunnerIdentity> = {}): Liveness {
  return { self: { ...self, ...changes }, now: () => NOW, isAlive };
}

const beaten = (agoMs: number, of = runner) => ({ runner: of, heartbeatAt: new Date(NOW - agoMs) });
const never = (): never => {
  throw new Error("nobody asks for a process that is not here");
};

test("three heartbeats may be late", () => {
  expect(HEARTBEAT_LIMIT_MS).toBeGreaterThan(3 * HEARTBEAT_INTERVAL_MS);
});

describe("a runner that can be seen from here", () => {
  const ages = [0, HEARTBEAT_LIMIT_MS * 1_000, -HEARTBEAT_LIMIT_MS * 1_000];
  test.each(ages)("lives while its process does, whatever the clock says (heartbeat %d ms ago)", (ago) => {
    const seen = here((pid, startedAt) => pid === 7 && startedAt === "99");
    expect(livenessOf(beaten(ago), seen)).toBe("running");
  });
  test.each(ages)("is lost at once when it is gone (heartbeat %d ms ago)", (ago) => {
    expect(
      livenessOf(
        beaten(ago),
        here(() => false),
      ),
    ).toBe("lost");
  });
  test("is judged by its heartbeat where the system does not tell", () => {
    const hidden = here(() => undefined);
    expect(livenessOf(beaten(HEARTBEAT_LIMIT_MS), hidden)).toBe("running");
    expect(livenessOf(beaten(HEARTBEAT_LIMIT_MS + 1), hidden)).toBe("lost");
  });
  test("needs both where processes have no time of start: the number may be another process's", () => {
    const bare = { host: "mill", pid: 7 };
    const seen = (isAlive: boolean): Liveness => ({
      self: { host: "mill", pid: 10 },
      now: () => NOW,
      isAlive: () => isAlive,
    });
    expect(livenessOf(beaten(0, bare), seen(true))).toBe("running");
    expect(livenessOf(beaten(HEARTBEAT_LIMIT_MS + 1, bare), seen(true))).toBe("lost");
    expect(livenessOf(beaten(0, bare), seen(false))).toBe("lost");
  });
});

describe("a runner that cannot be seen from here is judged by its heartbeat:", () => {
  test.each<[string, Partial<RunnerIdentity>]>([
    ["another host", { host: "other" }],
    ["another boot", { bootId: "c" }],
    ["another container", { pidNamespace: "pid:[2]" }],
  ])("%s", (_, changes) => {
    const there = here(never, changes);
    expect(livenessOf(beaten(HEARTBEAT_LIMIT_MS), there)).toBe("running");
    expect(livenessOf(beaten(HEARTBEAT_LIMIT_MS + 1), there)).toBe("lost");
    expect(livenessOf(beaten(-HEARTBEAT_LIMIT_MS - 1), there)).toBe("lost"); // a clock that was set back
  });
  test("one of which no process is known", () => {
    expect(livenessOf(beaten(HEARTBEAT_LIMIT_MS + 1, { host: "mill", pid: 0 }), here(never))).toBe("lost");
  });
});
