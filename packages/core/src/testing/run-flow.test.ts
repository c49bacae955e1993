import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { isFlowError } from "../errors/flow-error.ts";
import { current } from "../flow/current.ts";
import { choose, join, step } from "../flow/decorators.ts";
import { Flow } from "../flow/flow.ts";
import { param } from "../flow/param.ts";
import type { Inputs, Run, TaskFailure } from "../flow/public-types.ts";
import { upstream } from "../flow/upstream.ts";
import { fakeClock } from "./fake-clock.ts";
import { runFlow } from "./run-flow.ts";

class Rows extends Flow {
  rows!: number[];
  @step({ next: "end" }) start() {
    this.rows = [1];
  }
  @step() end() {}
}

class Squares extends Flow {
  readonly count = param(z.number().int().min(0).default(3));
  readonly source = upstream(Rows, { optional: true });
  readonly unit = "m²";
  numbers!: number[];
  square!: number;
  sum!: number;
  tags!: readonly string[];
  @step({ next: "work", foreach: "numbers" }) start() {
    this.numbers = Array.from({ length: this.count }, (_, index) => index + 1);
  }
  @step({ next: "collect" }) work(number: number) {
    console.log(`square of ${number}`);
    this.square = number ** 2;
  }
  @join({ next: "end" }) collect(inputs: Inputs<Squares>) {
    this.sum = inputs.reduce((sum, input) => sum + input.square, 0);
  }
  @step() end() {
    this.tags = [...current.run.tags, current.run.name];
    this.sum += this.source?.data.rows.length ?? 0;
  }
}

class Strict extends Flow {
  readonly source = upstream(Rows);
  readonly other = upstream(Rows);
  @step({ next: "end" }) start() {}
  @step() end() {}
}

class Refused extends Error {
  readonly status = 418;
}

class Failing extends Flow {
  mode!: "good" | "bad";
  xs!: number[];
  @choose({ on: "mode", next: { good: "end", bad: "refuse" } }) start() {
    this.mode = "bad";
  }
  @step({ next: "end" }) refuse() {
    console.log("about to refuse");
    throw new Refused("no tea");
  }
  @step() end() {}
}

class Waiting extends Flow {
  @step({ next: "end" }) async start() {
    await new Promise((_, reject) => this.signal.addEventListener("abort", () => reject(new Error("stopped"))));
  }
  @step() end() {}
}

describe("a run that succeeds", () => {
  test("gives what it left behind, its tasks and what happened", async () => {
    const run = await runFlow(Squares, {
      params: { count: 4 },
      tags: ["test:v1"],
      upstreams: { source: { rows: [9] } },
    });
    expect(run.status).toBe("succeeded");
    expect(run.data).toEqual({
      count: 4,
      unit: "m²",
      sum: 31,
      tags: ["test:v1", "Squares/1"],
    });
    expect(run.tasks.map(({ step, path, status, attempts }) => [step, path, status, attempts]).sort()).toEqual([
      ["collect", "", "succeeded", 1],
      ["end", "", "succeeded", 1],
      ["start", "", "succeeded", 1],
      ...[0, 1, 2, 3].map((index) => ["work", String(index), "succeeded", 1]),
    ]);
    const work = run.tasks.find(({ step, path }) => step === "work" && path === "2")!;
    expect(work.data.square).toBe(9);
    expect(work.logs).toEqual([{ stream: "stdout", text: "square of 3\n" }]);
    expect(run.events.filter(({ kind }) => kind === "task.succeeded")).toHaveLength(7);
  });

  test("an empty foreach", async () => {
    expect((await runFlow(Squares, { params: { count: 0 } })).data.sum).toBe(0);
  });

  test("a thousand items", async () => {
    const { data, tasks } = await runFlow(Squares, { params: { count: 1_000 } });
    expect([data.sum, tasks.length]).toEqual([333_833_500, 1_003]);
  });

  test("its data goes in as what a later flow reads", async () => {
    class Reader extends Flow {
      readonly squares = upstream(Squares);
      answer!: string;
      @step({ next: "end" }) start() {
        this.answer = `${this.squares.data.sum} ${this.squares.data.unit} of ${this.squares.data.count}`;
      }
      @step() end() {}
    }
    const squares = await runFlow(Squares);
    expect((await runFlow(Reader, { upstreams: { squares: squares.data } })).data.answer).toBe("14 m² of 3");
  });

  test("tasks take turns only when there are slots for it", async () => {
    let [busy, most] = [0, 0];
    class Wide extends Flow {
      xs!: number[];
      @step({ next: "work", foreach: "xs" }) start() {
        this.xs = [1, 2, 3, 4];
      }
      @step({ next: "gather" }) async work(_: number) {
        most = Math.max(most, ++busy);
        await sleep(1);
        busy--;
      }
      @join({ next: "end" }) gather(_: Inputs<Wide>) {}
      @step() end() {}
    }
    await runFlow(Wide);
    expect(most).toBe(1);
    await runFlow(Wide, { slots: 3 });
    expect(most).toBe(3);
  });
});

describe("a run that fails", () => {
  test("rejects with what the step threw, the very object, and with the seed", async () => {
    const error = await runFlow(Failing, { seed: 7 }).catch((thrown: unknown) => thrown);
    expect(isFlowError(error, "FLOW_RUN_FAILED")).toBe(true);
    expect(error).toMatchObject({
      message: "Failing failed: Failing/1/refuse: no tea",
      hint: "To start its tasks in this order again, give seed: 7",
      context: { seed: 7, task: "Failing/1/refuse" },
    });
    expect((error as Error).cause).toBeInstanceOf(Refused);
    expect((error as Error).cause).toMatchObject({ status: 418 });
  });

  test("is a result when it may fail", async () => {
    const run = await runFlow(Failing, { allowFailure: true });
    expect(run.status).toBe("failed");
    expect(run.error).toBeInstanceOf(Refused);
    expect(run.data).toEqual({});
    expect(run.tasks.map(({ step, status }) => [step, status])).toEqual([
      ["start", "succeeded"],
      ["refuse", "failed"],
    ]);
    expect(run.tasks[1]!.logs).toEqual([{ stream: "stdout", text: "about to refuse\n" }]);
  });

  test("is cancelled by a signal", async () => {
    const abort = new AbortController();
    const running = runFlow(Waiting, { signal: abort.signal });
    setTimeout(() => abort.abort("enough"), 20);
    await expect(running).rejects.toMatchObject({ code: "FLOW_RUN_CANCELLED", cause: "enough" });
    const again = await runFlow(Waiting, { signal: AbortSignal.timeout(20), allowFailure: true });
    expect(again.status).toBe("cancelled");
  });

  test("is refused before it begins, with all that is wrong", async () => {
    await expect(runFlow(Strict)).rejects.toMatchObject({
      code: "FLOW_TESTING_NO_UPSTREAM",
      problems: [
        { message: expect.stringContaining('"source"') as string },
        { message: expect.stringContaining('"other"') as string },
      ],
    });
    await expect(runFlow(Squares, { params: { count: -1 } })).rejects.toMatchObject({ code: "FLOW_PARAMETER_INVALID" });
  });
});

describe("behaviour of steps", () => {
  const seen: string[] = [];
  class Stubborn extends Flow {
    left!: string;
    @step({ next: "end", retry: { times: 3, delay: "1h", factor: 2, maxDelay: "1d", jitter: 0 } }) start() {
      if (current.attempt < 3) throw new Refused(`attempt ${current.attempt}`);
      this.left = `came through at ${current.attempt}`;
    }
    @step() end() {}
    static override onSuccess(run: Run<Stubborn>) {
      seen.push(`${run.name} ${run.status}`);
    }
    static override onError(run: Run<Stubborn>) {
      seen.push(`${run.name} ${run.status}`);
    }
  }

  test("nobody waits for the delay before another attempt, and the records show it", async () => {
    const { data, tasks, events } = await runFlow(Stubborn);
    expect(data.left).toBe("came through at 3");
    expect(tasks.find(({ step: name }) => name === "start")).toMatchObject({ status: "succeeded", attempts: 3 });
    const retries = events.flatMap((event) => (event.kind === "task.retrying" ? [event] : []));
    expect(retries.map(({ delayMs }) => delayMs)).toEqual([3_600_000, 7_200_000]);
    const [first, second] = retries.map(({ at }) => at.getTime()) as [number, number];
    expect(second - first).toBeGreaterThanOrEqual(3_600_000);
    expect(second - first).toBeLessThan(3_660_000);
  });

  test("a fake clock stands until it is advanced", async () => {
    const clock = fakeClock({ start: "2030-01-01T00:00:00Z" });
    let isOver = false;
    const running = runFlow(Stubborn, { clock }).finally(() => {
      isOver = true;
    });
    expect(await clock.nextDelay()).toBe(3_600_000);
    await clock.advance("59m");
    expect(isOver).toBe(false);
    await clock.advance("1m");
    expect(await clock.nextDelay()).toBe(7_200_000);
    await clock.advance("2h");
    const { events } = await running;
    expect(events.at(-1)!.at.toISOString()).toBe("2030-01-01T03:00:00.000Z");
  });

  test("hooks are called with the run that has ended", async () => {
    seen.length = 0;
    await runFlow(Stubborn);
    class Hopeless extends Stubborn {
      override start() {
        throw new Refused("never");
      }
    }
    await runFlow(Hopeless, { allowFailure: true });
    expect(seen).toEqual(["Stubborn/1 succeeded", "Hopeless/1 failed"]);
  });

  test("a failure that is caught, and behaviour that is asked for from outside", async () => {
    class Catching extends Flow {
      failure?: TaskFailure;
      @step({ next: "end", catch: "failure" }) start() {
        throw new Refused("no tea");
      }
      @step() end() {}
    }
    const { data, tasks } = await runFlow(Catching, { with: ["retry=1"] });
    expect(data.failure).toMatchObject({ message: "no tea", attempts: 2 });
    expect(tasks[0]).toMatchObject({ status: "caught" });
    await expect(runFlow(Catching, { with: ["retyr=1"] })).rejects.toMatchObject({
      code: "FLOW_DEFINITION_BAD_WITH",
      hint: 'Did you mean "retry"?',
    });
  });

  test("a timeout by the fake clock aborts the signal and ends the waiting", async () => {
    class Slow extends Flow {
      @step({ next: "end", timeout: "10m" }) async start() {
        await new Promise(() => {});
      }
      @step() end() {}
    }
    const clock = fakeClock();
    const running = runFlow(Slow, { clock, allowFailure: true });
    expect(await clock.nextDelay()).toBe(600_000);
    await clock.advance("10m");
    await clock.advance("1m");
    const { status, error } = await running;
    expect([status, (error as Error & { readonly code: string }).code]).toEqual(["failed", "FLOW_RUNNER_TIMEOUT"]);
  });

  test("environment and secrets of a step come from the test and are gone afterwards", async () => {
    class Secretive extends Flow {
      lengths!: readonly unknown[];
      @step({
        next: "end",
        environment: { MILLRACE_TEST_MODE: "on" },
        secrets: { MILLRACE_TEST_TOKEN: { env: "TOKEN" } },
      })
      start() {
        this.lengths = [process.env.MILLRACE_TEST_MODE, process.env.MILLRACE_TEST_TOKEN?.length];
      }
      @step() end() {}
    }
    expect((await runFlow(Secretive, { environment: { TOKEN: "12345" } })).data.lengths).toEqual(["on", 5]);
    expect([process.env.MILLRACE_TEST_MODE, process.env.MILLRACE_TEST_TOKEN]).toEqual([undefined, undefined]);
    await expect(runFlow(Secretive)).rejects.toMatchObject({ code: "FLOW_RUNNER_NO_SECRET" });
  });
});

describe("the order of independent tasks", () => {
  const begun: string[] = [];
  class Branches extends Flow {
    @step({ next: ["a", "b", "c", "d"] }) start() {
      begun.length = 0;
    }
    @step({ next: "meet" }) a() {
      begun.push("a");
    }
    @step({ next: "meet" }) b() {
      begun.push("b");
    }
    @step({ next: "meet" }) c() {
      begun.push("c");
    }
    @step({ next: "meet" }) d() {
      begun.push("d");
    }
    @join({ next: "end" }) meet(_: Inputs<Branches>) {}
    @step() end() {}
  }
  const orderOf = async (seed: number): Promise<string> => {
    await runFlow(Branches, { seed });
    return begun.join("");
  };

  test("is decided by the seed", async () => {
    const orders = [];
    for (let seed = 0; seed < 8; seed++) orders.push(await orderOf(seed));
    expect(new Set(orders).size).toBeGreaterThan(3);
    expect(await orderOf(5)).toBe(orders[5]);
    expect((await runFlow(Branches)).seed).not.toBe((await runFlow(Branches)).seed);
  });
});
