import { describe, expect, test } from "vitest";
import { FlowError } from "../../errors/flow-error.ts";
import { isTransient } from "../attempt.ts";
import { DEFAULT_RETRY_POLICY, type RetryOptions, retrying } from "./retry.ts";

const passing = () => new FlowError("FLOW_STORAGE_UNAVAILABLE", { message: "Busy", context: { isTransient: true } });
const lasting = () => new FlowError("FLOW_STORAGE_CREDENTIALS", { message: "No", context: {} });

/** A clock that moves only while somebody waits. */
function clockwork(options: RetryOptions = {}) {
  const waits: number[] = [];
  let now = 0;
  const attempt = retrying({
    now: () => now,
    random: () => 1,
    wait: async (milliseconds) => {
      waits.push(milliseconds);
      now += milliseconds;
    },
    ...options,
  });
  return { waits, attempt, pass: (milliseconds: number) => (now += milliseconds) };
}

describe("retrying", () => {
  test("waits at most twice as long each time, up to the cap, and says in the end how often it tried", async () => {
    const { waits, attempt } = clockwork({ tries: 9 });
    const failure = attempt("get", () => Promise.reject(passing()));
    await expect(failure).rejects.toMatchObject({ message: "Busy; tried 9 times", context: { tries: 9 } });
    expect(waits).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
  });
  test("waits a share of that which chance decides, from nothing on", async () => {
    const shares = [0, 0.5, 0.25, 0];
    const { waits, attempt } = clockwork({ random: () => shares.shift()! });
    await expect(attempt("get", () => Promise.reject(passing()))).rejects.toSatisfy(isTransient);
    expect(waits).toEqual([0, 100, 100, 0]);
  });
  test("tries what lasts once, and throws it as it is", async () => {
    const { waits, attempt } = clockwork();
    const error = lasting();
    await expect(attempt("get", () => Promise.reject(error))).rejects.toBe(error);
    const foreign = new TypeError("a defect");
    await expect(attempt("get", () => Promise.reject(foreign))).rejects.toBe(foreign);
    expect(waits).toEqual([]);
  });
  test("tries nothing again that was tried again before", async () => {
    const { attempt } = clockwork();
    let tries = 0;
    const within = attempt("put", () =>
      attempt("put", async () => {
        tries++;
        throw passing();
      }),
    );
    await expect(within).rejects.toMatchObject({ context: { tries: DEFAULT_RETRY_POLICY.tries } });
    expect(tries).toBe(DEFAULT_RETRY_POLICY.tries);
  });
  test("begins no try behind its limit", async () => {
    const { attempt, pass } = clockwork({ limitMs: 1_000 });
    let tries = 0;
    const failure = attempt("get", async () => {
      tries++;
      pass(450);
      throw passing();
    });
    await expect(failure).rejects.toMatchObject({ context: { tries: 2 } });
    expect(tries).toBe(2);
  });
  test("tells of each try that is followed by another one", async () => {
    const told: string[] = [];
    const { attempt } = clockwork({ onRetry: (verb, { code }) => told.push(`${verb} ${code}`) });
    let tries = 0;
    const answer = attempt("list", async (tryNumber) => {
      expect(tryNumber).toBe(++tries);
      if (tries < 3) throw passing();
      return "there";
    });
    expect(await answer).toBe("there");
    expect(told).toEqual(["list FLOW_STORAGE_UNAVAILABLE", "list FLOW_STORAGE_UNAVAILABLE"]);
  });
});
