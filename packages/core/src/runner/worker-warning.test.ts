import { expect, test } from "vitest";
import { workerWarning } from "./worker-warning.ts";

test("each trouble of a worker has a code, names the step and says what to do", () => {
  const error = { code: "FLOW_STEP_FAILED", name: "RangeError", message: "late" };
  const told = [
    workerWarning({ kind: "stray-error", error }),
    workerWarning({ kind: "stuck", step: "train" }),
    workerWarning({ kind: "polluted", step: "train", what: "JSON.parse", isReplaced: true }),
    workerWarning({ kind: "polluted", step: "train", what: "JSON.parse", isReplaced: false }),
  ];
  expect(told.map(({ code }) => code)).toEqual([
    "FLOW_RUNNER_STRAY_ERROR",
    "FLOW_RUNNER_STUCK",
    "FLOW_RUNNER_POLLUTED",
    "FLOW_RUNNER_POLLUTED",
  ]);
  expect(told[0]!.message).toContain("RangeError: late");
  expect(told.slice(1).every(({ message }) => message.includes('"train"'))).toBe(true);
  expect(told[2]!.message).toContain("JSON.parse");
  expect(told[2]!.message).not.toBe(told[3]!.message);
  expect(told.every(({ hint }) => hint !== undefined)).toBe(true);
});
