import { afterEach, describe, expect, test, vi } from "vitest";
import * as z from "zod";
import { around } from "../flow/around.ts";
import { artifact } from "../flow/artifact.ts";
import { current } from "../flow/current.ts";
import { choose, join, step } from "../flow/decorators.ts";
import { Flow } from "../flow/flow.ts";
import { param } from "../flow/param.ts";
import type { Inputs, TaskFailure } from "../flow/public-types.ts";
import { upstream } from "../flow/upstream.ts";
import { run } from "../wiring/run.ts";
import { runFlow } from "./run-flow.ts";
import { runStep } from "./run-step.ts";

class Refused extends Error {
  readonly status = 418;
}

class Rows extends Flow {
  rows!: number[];
  unit!: string;
  @step({ next: "end" }) start() {
    this.rows = [1];
  }
  @step() end() {}
}

class Fit extends Flow {
  readonly source = upstream(Rows);
  weights!: number[];
  @step({ next: "end" }) start() {
    this.weights = this.source.data.rows;
  }
  @step() end() {}
}

class Train extends Flow {
  readonly factor = param(z.number().int().positive().default(2));
  readonly name = param(z.string().min(2).default("train"));
  readonly model = upstream(Fit);
  readonly source = upstream(Rows, { sameAs: this.model.upstreams.source });
  readonly earlier = upstream(Train, { optional: true });
  readonly limits = [10, 20];

  xs!: number[];
  x!: number;
  shared!: { readonly list: number[] };
  total!: number;
  mode!: "small" | "large";
  sizes!: readonly number[];
  declared = artifact(z.number().max(9));
  anything!: unknown;

  @step({ next: "work", foreach: "xs" }) start() {
    this.xs = Array.from({ length: this.factor }, (_, index) => index);
  }
  @step({ next: "gather" }) work(x: number, index: number) {
    this.x = x * this.factor + index;
    console.log(`working on ${x}`);
    console.error("with care");
  }
  @join({ next: "pick" }) gather(inputs: Inputs<Train>) {
    this.mergeArtifacts(inputs, { include: ["shared"] });
    this.total = inputs.reduce((sum, input) => sum + input.x, inputs.before.total ?? 0);
    this.sizes = inputs.map(({ limits }) => limits.length);
  }
  @choose({ on: "mode", next: { small: "left", large: "right" } }) pick() {
    this.mode = this.total > this.limits[0]! ? "large" : "small";
  }
  @step({ next: "meet" }) left() {
    this.shared.list.push(4);
  }
  @step({ next: "meet" }) right() {
    this.total = this.source.data.rows.length + this.model.data.weights.length;
    this.sizes = this.model.upstreams.source.data.rows;
    this.anything = [this.earlier?.run.name, this.model.run.name];
  }
  @join({ next: "odd" }) meet(inputs: Inputs<Train>) {
    this.anything = [inputs.length, inputs.maybe("left")?.x, inputs.maybe("right")?.x];
    this.mergeArtifacts(inputs);
  }
  @step({ next: "end" }) async odd() {
    switch (this.anything) {
      case "refuse":
        throw new Refused("no tea");
      case "abort":
        await new Promise((resolve) => this.signal.addEventListener("abort", resolve));
        throw new Refused(`aborted: ${String(this.signal.reason)}`);
      case "function":
        this.anything = { deep: [() => 1] };
        return;
      case "declared":
        this.declared = 10;
        return;
      default:
        this.anything = [current.run.name, current.run.tags, current.task, current.attempt, current.random()];
    }
  }
  @step() end() {}
}

afterEach(() => vi.useRealTimers());

describe("what a step gets", () => {
  test("an item with its index, defaults of parameters, artifacts of the steps before", async () => {
    const { data, next, logs } = await runStep(Train, "work", { item: 5, index: 3, inputs: { total: 1 } });
    expect(data).toEqual({ total: 1, x: 13 });
    expect(next).toEqual(["gather"]);
    expect(logs).toEqual([
      { stream: "stdout", text: "working on 5\n" },
      { stream: "stderr", text: "with care\n" },
    ]);
  });

  test("private copies: the test's own values do not change", async () => {
    const shared = { list: [1] };
    const { data } = await runStep(Train, "left", { inputs: { shared } });
    expect(data.shared).toEqual({ list: [1, 4] });
    expect(shared).toEqual({ list: [1] });
  });

  test("parameters by their schemas, with all problems at once", async () => {
    expect((await runStep(Train, "start", { params: { factor: 3 } })).items).toEqual([0, 1, 2]);
    const wrong = runStep(Train, "start", { params: { factor: -1, name: "x" } });
    await expect(wrong).rejects.toMatchObject({ code: "FLOW_PARAMETER_INVALID", problems: [{}, {}] });
    const unknown = runStep(Train, "start", { params: { fcator: 1 } as object });
    await expect(unknown).rejects.toMatchObject({ code: "FLOW_PARAMETER_UNKNOWN", hint: 'Did you mean "factor"?' });
  });

  test("upstreams as plain values; one that is sameAs is also what the other has read from", async () => {
    const { data } = await runStep(Train, "right", {
      upstreams: { model: { weights: [1, 2] }, source: { rows: [7, 8, 9] } },
    });
    expect(data).toEqual({ total: 5, sizes: [7, 8, 9], anything: [undefined, "Fit/1"] });
  });

  test("an upstream that is not given is told by its name when it is read, and not before", async () => {
    await expect(runStep(Train, "right", {})).rejects.toMatchObject({
      code: "FLOW_TESTING_NO_UPSTREAM",
      message: expect.stringContaining('"source"') as string,
    });
    const wrong = runStep(Train, "left", { upstreams: { sorce: {} } as object });
    await expect(wrong).rejects.toMatchObject({ code: "FLOW_TESTING_BAD_VALUE", hint: 'Did you mean "source"?' });
  });

  test("facts of the task, and random numbers that only the seed changes", async () => {
    const facts = async (seed?: number): Promise<readonly unknown[]> => {
      const options = { tags: ["test:v1"], attempt: 2, ...(seed === undefined ? {} : { seed }) };
      return (await runStep(Train, "odd", options)).data.anything as readonly unknown[];
    };
    const [first, again, other] = [await facts(), await facts(), await facts(2)];
    expect(first.slice(0, 4)).toEqual(["Train/1", ["test:v1"], "Train/1/odd", 2]);
    expect(again).toEqual(first);
    expect(other[4]).not.toBe(first[4]);
  });
});

describe("joins", () => {
  test("inputs as a list in the order of items, with what the split left", async () => {
    const { data, next } = await runStep(Train, "gather", {
      inputs: [
        { x: 1, shared: { list: [1] } },
        { x: 2, shared: { list: [1] } },
      ],
      before: { total: 40 },
    });
    expect(data).toEqual({ total: 43, sizes: [2, 2], shared: { list: [1] } });
    expect(next).toEqual(["pick"]);
  });

  test("inputs by step name: what is left out was not taken", async () => {
    const { data } = await runStep(Train, "meet", { inputs: { right: { x: 6 } } });
    expect(data).toEqual({ x: 6, anything: [1, undefined, 6] });
    const both = await runStep(Train, "meet", { inputs: [{ x: 1 }, { x: 1 }] });
    expect(both.data).toEqual({ x: 1, anything: [2, 1, 1] });
    const several = await runStep(Train, "gather", {
      inputs: { work: [{ x: 1 }, { x: 2, shared: { list: [] } }] },
    });
    expect(several.data.total).toBe(3);
  });

  test("merging sees what differs", async () => {
    const inputs = { left: { total: 1 }, right: { total: 2 } };
    await expect(runStep(Train, "meet", { inputs })).rejects.toMatchObject({ code: "FLOW_RUNNER_MERGE_CONFLICT" });
  });

  test("inputs that do not fit what leads to the join are refused", async () => {
    await expect(runStep(Train, "meet", { inputs: [{ x: 1 }] })).rejects.toMatchObject({
      code: "FLOW_TESTING_BAD_INPUTS",
      hint: "Give them by step name: inputs: { left: { … }, right: { … } }",
    });
    await expect(runStep(Train, "meet", { inputs: { rihgt: {} } as object })).rejects.toMatchObject({
      code: "FLOW_TESTING_BAD_INPUTS",
      hint: 'Did you mean "right"?',
    });
    await expect(runStep(Train, "meet", { inputs: [], item: 1 } as never)).rejects.toMatchObject({
      code: "FLOW_TESTING_BAD_INPUTS",
    });
  });
});

describe("where a step leads", () => {
  test("a choice to the step of its case", async () => {
    expect(await runStep(Train, "pick", { inputs: { total: 11 } })).toMatchObject({ choice: "large", next: ["right"] });
    expect(await runStep(Train, "pick", { inputs: { total: 1 } })).toMatchObject({ choice: "small", next: ["left"] });
  });

  test("a foreach to the step of its items, and without items to its join", async () => {
    const { items, next } = await runStep(Train, "start", {});
    expect([items, next]).toEqual([[0, 1], ["work"]]);
    class Empty extends Train {
      override start() {
        this.xs = [];
      }
    }
    expect(await runStep(Empty, "start", {})).toMatchObject({ items: [], next: ["gather"], data: { xs: [] } });
  });

  test("the last step nowhere", async () => {
    expect(await runStep(Train, "end", {})).toEqual({ data: {}, next: [], metrics: {}, logs: [] });
  });
});

test("a step that a decorator skips says why, and leads on", async () => {
  class Skipping extends Flow {
    n!: number;
    @around<Skipping>((task) => {
      task.flow.n = 1;
      task.skip("nothing to do");
    })
    @step({ next: "end" })
    start() {
      this.n = 2;
    }
    @step() end() {}
  }
  expect(await runStep(Skipping, "start", {})).toEqual({
    data: { n: 1 },
    next: ["end"],
    logs: [],
    metrics: {},
    skipped: "nothing to do",
  });
});

test("retry, timeout and catch are left out: they are the runner's", async () => {
  let attempts = 0;
  class Behaving extends Flow {
    failure?: TaskFailure;
    @step({ next: "end", retry: 3, catch: "failure" }) start() {
      attempts++;
      throw new Refused("once");
    }
    @step() end() {}
  }
  await expect(runStep(Behaving, "start", {})).rejects.toThrow(new Refused("once"));
  expect(attempts).toBe(1);
});

describe("what a step does wrong", () => {
  test("its error is thrown as it is", async () => {
    const thrown = await runStep(Train, "odd", { inputs: { anything: "refuse" } }).catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(Refused);
    expect(thrown).toMatchObject({ message: "no tea", status: 418 });
    expect((thrown as Error).stack).toContain("run-step.test.ts");
  });

  test("also when the signal was aborted before", async () => {
    const abort = new AbortController();
    const running = runStep(Train, "odd", { inputs: { anything: "abort" }, signal: abort.signal });
    setImmediate(() => abort.abort("enough"));
    await expect(running).rejects.toThrow(new Refused("aborted: enough"));
  });

  test("what cannot be kept is refused with its path, in what is given and in what is left", async () => {
    await expect(runStep(Train, "odd", { inputs: { anything: "function" } })).rejects.toMatchObject({
      code: "FLOW_ARTIFACT_UNSERIALISABLE",
      message: expect.stringContaining("this.anything.deep[0]") as string,
    });
    const inputs = { anything: [new WeakMap()], total: (() => 1) as never };
    await expect(runStep(Train, "left", { inputs })).rejects.toMatchObject({
      problems: [
        { message: expect.stringContaining("inputs.anything[0]") as string },
        { message: expect.stringContaining("inputs.total") as string },
      ],
    });
    await expect(runStep(Train, "work", { item: (() => 1) as never })).rejects.toMatchObject({
      code: "FLOW_ARTIFACT_UNSERIALISABLE",
      message: expect.stringContaining("item") as string,
    });
  });

  test("a declared artifact is checked by its schema", async () => {
    await expect(runStep(Train, "odd", { inputs: { anything: "declared" } })).rejects.toThrow("declared");
  });
});

describe("what a test does wrong", () => {
  test("a step that is not there, an item too many or too few, a parameter among artifacts", async () => {
    await expect(runStep(Train, "wokr" as "work", { item: 1 })).rejects.toMatchObject({
      code: "FLOW_TESTING_NO_STEP",
      hint: 'Did you mean "work"?',
    });
    for (const inputs of [[{ x: 1 }], [], "x", null])
      await expect(runStep(Train, "start", { inputs } as never)).rejects.toMatchObject({
        code: "FLOW_TESTING_BAD_INPUTS",
        hint: "Give them by name: inputs: { artifact: value }",
      });
    await expect(runStep(Train, "start", { item: 1 } as object)).rejects.toMatchObject({
      code: "FLOW_TESTING_BAD_INPUTS",
      message: expect.stringContaining("no foreach leads to it") as string,
    });
    await expect(runStep(Train, "work", {} as never)).rejects.toMatchObject({ hint: "Give item: …" });
    await expect(runStep(Train, "left", { inputs: { factor: 3 } as object })).rejects.toMatchObject({
      code: "FLOW_TESTING_BAD_VALUE",
      hint: "Give it as params: { factor: … }",
    });
    await expect(runStep(Train, "left", { inputs: { limits: [] } as object })).rejects.toMatchObject({
      message: expect.stringContaining("a constant") as string,
    });
  });
});

test("options that nobody reads are refused by name, all at once", async () => {
  const options: object = { itme: 1, upstream: {}, with: [] };
  await expect(runStep(Train, "start", options)).rejects.toMatchObject({
    code: "FLOW_TESTING_BAD_OPTION",
    problems: [
      { message: 'runStep has no option "itme"', hint: 'Did you mean "item"?' },
      { message: 'runStep has no option "upstream"', hint: 'Did you mean "upstreams"?' },
      { message: 'runStep has no option "with"', hint: expect.stringContaining("It takes inputs, before") as string },
    ],
  });
  await expect(runFlow(Train, { item: 1 } as object)).rejects.toMatchObject({ code: "FLOW_TESTING_BAD_OPTION" });
});

test("a step that runs another flow is told that nobody can", async () => {
  class Other extends Flow {
    @step() start(): void {}
  }
  class Asks extends Flow {
    @step() async start(): Promise<void> {
      await run(Other);
    }
  }
  await expect(runStep(Asks, "start", {})).rejects.toMatchObject({ code: "FLOW_RUNNER_SUB_FLOW" });
});

test("faked timers do not stop a step", async () => {
  vi.useFakeTimers();
  expect((await runStep(Train, "work", { item: 1 })).data.x).toBe(2);
});

test("many at once keep their output apart and leave the streams as they were", async () => {
  const before = [
    process.stdout.write,
    process.stderr.write,
    (console as never as { _stdout?: { write: unknown } })._stdout?.write,
  ];
  const runs = await Promise.all(
    Array.from({ length: 20 }, (_, item) => runStep(Train, "work", { item, inputs: { total: item } })),
  );
  expect(runs.map(({ logs }) => logs[0]!.text)).toEqual(runs.map((_, item) => `working on ${item}\n`));
  const after = [
    process.stdout.write,
    process.stderr.write,
    (console as never as { _stdout?: { write: unknown } })._stdout?.write,
  ];
  expect(after.map((write, index) => write === before[index])).toEqual([true, true, true]);
});
