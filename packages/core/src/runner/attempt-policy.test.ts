import { describe, expect, test } from "vitest";
import { afterFailure, type RetryPlan } from "./attempt-policy.ts";

const failure = { code: "FLOW_STEP_FAILED", message: "no", attempts: 1 };
const retry: RetryPlan = { times: 3, delayMs: 100, factor: 2, maxDelayMs: 350, jitter: 0 };

describe("what follows from a failure", () => {
  test("waits grow by the factor, up to the longest, and end with the attempts", () => {
    const verdicts = [1, 2, 3, 4].map((attempt) => afterFailure({ retry }, attempt, failure, () => 0));
    expect(verdicts).toEqual([
      { kind: "retry", delayMs: 100 },
      { kind: "retry", delayMs: 200 },
      { kind: "retry", delayMs: 350 },
      { kind: "fail" },
    ]);
  });

  test("jitter shortens a wait by at most its share", () => {
    const policy = { retry: { ...retry, jitter: 0.5 } };
    expect(afterFailure(policy, 1, failure, () => 0)).toEqual({ kind: "retry", delayMs: 100 });
    expect(afterFailure(policy, 1, failure, () => 0.999_999)).toEqual({ kind: "retry", delayMs: 50 });
  });

  test("a failure that is not worth another attempt is caught, or ends the run", () => {
    const policy = { retry: { ...retry, isWorthRetry: ({ message }: { message: string }) => message !== "no" } };
    expect(afterFailure(policy, 1, failure, () => 0)).toEqual({ kind: "fail" });
    expect(afterFailure({ ...policy, catch: "failure" }, 1, failure, () => 0)).toEqual({
      kind: "catch",
      field: "failure",
    });
    expect(afterFailure(policy, 1, { ...failure, message: "busy" }, () => 0)).toMatchObject({ kind: "retry" });
  });
});
