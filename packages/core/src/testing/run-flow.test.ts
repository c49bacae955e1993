import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { isFlowError } from "../errors/flow-error.ts";
import { current } from "../flow/current.ts";
import { choose, join, step } from "../flow/decorators.ts";
import { Flow } from "../flow/flow.ts";
import { param } from "../flow/param.ts";
import type { Inputs } from "../flow/public-types.ts";
import { upstream } from "../flow/upstream.ts";
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
