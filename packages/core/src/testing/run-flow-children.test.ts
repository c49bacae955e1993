/** Flows inside steps of a flow in memory: the classes are run, in the same memory, with the same promises as in a store. */
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { join, step } from "../flow/decorators.ts";
import { Flow } from "../flow/flow.ts";
import { param } from "../flow/param.ts";
import type { Inputs } from "../flow/public-types.ts";
import { upstream } from "../flow/upstream.ts";
import { run } from "../wiring/run.ts";
import { runFlow } from "./run-flow.ts";

let worked: string[] = [];

class Square extends Flow {
  readonly n = param(z.number().default(1));
  square!: number;
  @step({ next: "end" }) start() {
    worked.push(`square ${this.n}`);
    this.square = this.n ** 2;
  }
  @step() end() {
    if (this.n < 0) throw new RangeError("there is no such square");
  }
}

class Reads extends Flow {
  readonly source = upstream(Square);
  seen!: number;
  @step() start() {
    this.seen = this.source.data.square;
  }
}

class Sum extends Flow {
  readonly numbers = param(z.array(z.number()).default([2, 3]));
  items!: number[];
  square!: number;
  sum!: number;
  name!: string;
  @step({ next: "work", foreach: "items" }) start() {
    this.items = this.numbers;
  }
  @step({ next: "collect" }) async work(n: number) {
    const square = await run(Square, { params: { n }, tags: ["inner"] });
    this.square = await square.data.square;
    this.name = square.name;
  }
  @join({ next: "end" }) async collect(inputs: Inputs<Sum>) {
    this.sum = inputs.reduce((sum, input) => sum + input.square, 0);
    const reads = await run(Reads, { upstreams: { source: inputs[0]!.name } });
    this.sum += await reads.data.seen;
  }
  @step() end() {}
}

test.each([1, 3])("a step runs flows and reads what they leave, with %i slots", async (slots) => {
  const { data, events } = await runFlow(Sum, { slots });
  expect(data.sum).toBe(4 + 9 + 4);
  expect(events.filter(({ kind }) => kind === "run.child.finished")).toHaveLength(3);
});

test("a run that fails is told with the task where it began and what was thrown there", async () => {
  await expect(runFlow(Sum, { params: { numbers: [-1] } })).rejects.toMatchObject({
    code: "FLOW_RUN_FAILED",
    cause: { code: "FLOW_RUN_FAILED", cause: { message: "there is no such square" } },
  });
});

describe("another attempt", () => {
  let breaks = 0;
  let late = 0;
  class Brittle extends Flow {
    @step({ next: "end" }) start() {
      worked.push("start");
    }
    @step() end() {
      if (breaks-- > 0) throw new Error("not yet");
    }
  }
  class Outer extends Flow {
    @step({ retry: { times: 2, delay: "1s" } }) async start() {
      await run(Square);
      await run(Brittle);
      if (late-- > 0) throw new Error("after it");
    }
  }

  test("takes over the runs that succeeded, and goes on with those that failed", async () => {
    [breaks, late] = [1, 1];
    worked = [];
    const { tasks, events } = await runFlow(Outer);
    expect(tasks).toMatchObject([{ status: "succeeded", attempts: 3 }]);
    expect(worked).toEqual(["square 1", "start"]);
    expect(events.flatMap((event) => (event.kind === "run.child" ? [event.how] : []))).toEqual([
      "new",
      "new",
      "finished",
      "continued",
      "finished",
      "finished",
    ]);
  });
});

test("a cancelled run cancels the runs inside it", async () => {
  const stop = new AbortController();
  let told = false;
  class Waits extends Flow {
    @step() async start() {
      const aborted = new Promise<void>((resolve) => this.signal.addEventListener("abort", () => resolve()));
      stop.abort("enough");
      await aborted;
      told = true;
    }
  }
  class Around extends Flow {
    @step() async start() {
      await run(Waits);
    }
  }
  const { status } = await runFlow(Around, { signal: stop.signal, allowFailure: true });
  expect([status, told]).toEqual(["cancelled", true]);
});

test("flows that start themselves are stopped", async () => {
  class Endless extends Flow {
    @step() async start() {
      await run(Endless);
    }
  }
  const failed = await runFlow(Endless, { allowFailure: true });
  expect(JSON.stringify(failed.events)).toContain("FLOW_RUNNER_TOO_DEEP");
});

test("a flow that is named by its file is refused, with what to give instead", async () => {
  class Named extends Flow {
    @step() async start() {
      await run("./other.ts");
    }
  }
  await expect(runFlow(Named)).rejects.toMatchObject({
    cause: { code: "FLOW_RUNNER_SUB_FLOW", hint: "Import its class and give that: run(Other)" },
  });
});

test("the same seed gives the runs the same ids", async () => {
  const ids = async () =>
    (await runFlow(Sum, { seed: 7, slots: 3 })).events
      .flatMap((event) => (event.kind === "run.child" ? [event.runId] : []))
      .sort();
  expect(await ids()).toEqual(await ids());
});
