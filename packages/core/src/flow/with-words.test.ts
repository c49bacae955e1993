import { describe, expect, test } from "vitest";
import { isFlowError } from "../errors/flow-error.ts";
import type { FlowDefinition, StepBehaviour } from "./definition.ts";
import { withBehaviour } from "./with-words.ts";

function flowOf(behaviours: readonly StepBehaviour[]): FlowDefinition {
  return {
    project: "local",
    name: "Words",
    formerly: [],
    params: [],
    upstreams: [],
    artifacts: [],
    configs: [],
    files: [],
    constants: [],
    steps: behaviours.map((behaviour, index) => ({
      name: `s${index}`,
      kind: "step",
      isJoin: false,
      next: [],
      behaviour,
      arity: 0,
    })),
  };
}

function behaviours(words: readonly string[], given: readonly StepBehaviour[] = [{}]): readonly StepBehaviour[] {
  return withBehaviour(flowOf(given), words).steps.map(({ behaviour }) => behaviour);
}

function problemsOf(words: readonly string[]): readonly (readonly [string, string | undefined])[] {
  try {
    behaviours(words);
  } catch (error) {
    if (isFlowError(error, "FLOW_DEFINITION_BAD_WITH"))
      return error.problems.map(({ message, hint }) => [message, hint] as const);
    throw error;
  }
  return [];
}

describe("--with", () => {
  test("a behaviour goes to the steps that lack it", () => {
    const given = [{}, { timeoutMs: 5 }];
    expect(behaviours(["timeout=10s"], given)).toEqual([{ timeoutMs: 10_000 }, { timeoutMs: 5 }]);
  });

  test("a value, settings, names as flags are written, and a bare word", () => {
    expect(behaviours(["retry=3"])[0]!.retry!.times).toBe(3);
    expect(behaviours(["retry:times=2,delay=5s,jitter=0"])[0]!.retry).toMatchObject({
      times: 2,
      delayMs: 5_000,
      jitter: 0,
    });
    expect(behaviours(["max-parallel=2", "cache", "isolate=process"])).toEqual([
      { maxParallel: 2, cache: true, isolate: "process" },
    ]);
    expect(behaviours(["environment:A=1,B=x=y"])).toEqual([{ environment: { A: "1", B: "x=y" } }]);
    expect(behaviours(["secrets=A,B"])).toEqual([{ secrets: { A: { env: "A" }, B: { env: "B" } } }]);
    expect(behaviours(["resources:memory=1GB,cpu=2"])).toEqual([{ resources: { memoryBytes: 1e9, cpu: 2 } }]);
  });

  test("all that is wrong is told at once, with the nearest name", () => {
    expect(problemsOf(["retyr=3", "timeout", "retry:times", "isolate=vm"])).toEqual([
      ['"retyr" is no behaviour of steps', 'Did you mean "retry"?'],
      ['"timeout" does not say what it is', "Write timeout=10m"],
      ['"times" of "retry" is no setting', "Write retry:key=value,key=value"],
      ['"retry" does not say how many times', "Write retry: { times: 3 }"],
      ['"isolate" is "vm" instead of "thread" or "process"', undefined],
    ]);
  });
});
