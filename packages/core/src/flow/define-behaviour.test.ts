import { describe, expect, test } from "vitest";
import { readBehaviour } from "./define-behaviour.ts";
import type { StepBehaviour } from "./definition.ts";

function read(options: Readonly<Record<string, unknown>>): { behaviour: StepBehaviour; problems: string[] } {
  const problems: string[] = [];
  const behaviour = readBehaviour(options, (option, what) => problems.push(`"${option}" ${what}`));
  return { behaviour, problems };
}

describe("the behaviour of a step", () => {
  test("a number of retries waits 1 s, then twice as long each time", () => {
    expect(read({ retry: 3 })).toEqual({
      behaviour: {
        retry: {
          times: 3,
          isLate: false,
          delayMs: 1_000,
          factor: 2,
          maxDelayMs: 300_000,
          jitter: 0.25,
          hasCondition: false,
        },
      },
      problems: [],
    });
  });

  test("every setting of a retry; functions are only noted", () => {
    const retry = { times: 2, delay: "10m", factor: 1, jitter: 0, when: () => true };
    expect(read({ retry }).behaviour.retry).toEqual({
      times: 2,
      isLate: false,
      delayMs: 600_000,
      factor: 1,
      maxDelayMs: 600_000, // never shorter than the first wait
      jitter: 0,
      hasCondition: true,
    });
    expect(read({ retry: () => 2 }).behaviour.retry).toMatchObject({ times: 0, isLate: true });
  });

  test("lengths of time, sizes and sources of secrets become plain data", () => {
    const { behaviour, problems } = read({
      timeout: "2s",
      catch: "failure",
      isolate: "process",
      maxParallel: 2,
      resources: { cpu: 0.5, memory: "256MB", gpu: 1 },
      environment: { TZ: "UTC" },
      secrets: ["TOKEN"],
      cache: true,
    });
    expect(problems).toEqual([]);
    expect(behaviour).toEqual({
      timeoutMs: 2_000,
      catch: "failure",
      isolate: "process",
      maxParallel: 2,
      resources: { cpu: 0.5, memoryBytes: 256_000_000, gpu: 1 },
      environment: { TZ: "UTC" },
      secrets: { TOKEN: { env: "TOKEN" } },
      cache: true,
    });
    expect(read({ secrets: { KEY: { file: "/run/secrets/key" } } }).behaviour.secrets).toEqual({
      KEY: { file: "/run/secrets/key" },
    });
  });

  test.each([
    [{ retry: 1.5 }, '"retry" is 1.5 instead of a whole number from 0 to 1000'],
    [{ retry: { delay: "1s" } }, '"retry" does not say how many times'],
    [{ retry: { times: 1, delay: 5 } }, '"retry.delay" is 5 instead of a duration'],
    [{ retry: { times: 1, factor: 0.5 } }, '"retry.factor" is 0.5 instead of a number from 1 to 100'],
    [{ retry: { times: 1, wait: "1s" } }, '"retry" has the unknown setting "wait"'],
    [{ retry: { times: 1, when: true } }, '"retry.when" is true instead of a function of the failure'],
    [{ timeout: "10" }, '"timeout" is "10" instead of a duration'],
    [{ timeout: "0s" }, '"timeout" is no time at all'],
    [{ timeout: "25d" }, '"timeout" is "25d", longer than 24 days'],
    [{ catch: "no field" }, '"catch" is "no field" instead of a field\'s name'],
    [{ isolate: "vm" }, '"isolate" is "vm" instead of "thread" or "process"'],
    [{ resources: { memory: "lots" } }, '"resources.memory" is "lots" instead of a size'],
    [{ resources: { disk: "1GB" } }, '"resources" has the unknown setting "disk"'],
    [{ environment: { "A-B": "1" } }, '"environment" has the name "A-B", which no variable can have'],
    [{ environment: { A: 1 } }, '"environment.A" is 1 instead of a text'],
    [{ secrets: { A: "b" } }, '"secrets.A" does not say where it comes from'],
    [{ secrets: ["A"], environment: { A: "1" } }, '"secrets" names "A", which "environment" sets too'],
    [{ cache: "yes" }, '"cache" is "yes" instead of true or false'],
    [{ maxParallel: 0 }, '"maxParallel" is 0 instead of a whole number from 1'],
  ])("%j is refused", (options, problem) => {
    expect(read(options).problems).toEqual([problem]);
  });
});
