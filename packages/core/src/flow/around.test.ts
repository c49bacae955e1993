import { describe, expect, test } from "vitest";
import { newRunId } from "../ids/run-id.ts";
import { around } from "./around.ts";
import { runStepAsTask } from "./current.ts";
import { Flow } from "./flow.ts";

const said: string[] = [];
const outer = around(async (task, proceed) => {
  said.push(`before ${task.step}`);
  try {
    await proceed();
  } finally {
    said.push(`after ${task.step}`);
  }
});
const inner = around(async (_, proceed) => {
  said.push("inner");
  await proceed();
});

class Wrapped extends Flow {
  seen: unknown[] = [];

  @outer
  @inner
  both(item: string, index: number) {
    said.push("step");
    this.seen = [item, index];
  }

  @around<Wrapped>((task) => {
    task.flow.seen = ["replaced"];
  })
  replaced() {
    said.push("never");
  }

  @around((task) => task.skip("done already"))
  skipped() {
    said.push("never");
  }

  @outer
  failing() {
    throw new Error("no");
  }

  @around(async (_, proceed) => {
    await proceed();
    await proceed();
  })
  twice() {}
}

function call(name: string, ...parameters: unknown[]): { flow: Wrapped; done: Promise<string | undefined> } {
  said.length = 0;
  const flow = new Wrapped();
  const run = { id: newRunId(), name: "Wrapped/1", flow: "Wrapped", project: "local", tags: [] };
  const method = (flow as unknown as Record<string, (...parameters: unknown[]) => unknown>)[name]!;
  const done = runStepAsTask({ run, step: name, path: "", attempt: 1 }, () => method.apply(flow, parameters));
  return { flow, done };
}

describe("around", () => {
  test("the outermost decorator runs first, and the step gets its arguments", async () => {
    const { flow, done } = call("both", "a", 3);
    expect(await done).toBeUndefined();
    expect(said).toEqual(["before both", "inner", "step", "after both"]);
    expect(flow.seen).toEqual(["a", 3]);
    expect([Wrapped.prototype.both.length, Wrapped.prototype.both.name]).toEqual([2, "both"]);
  });

  test("one that does not proceed replaces the step", async () => {
    const { flow, done } = call("replaced");
    expect(await done).toBeUndefined();
    expect(flow.seen).toEqual(["replaced"]);
    expect(said).toEqual([]);
  });

  test("one that skips says why", async () => {
    expect(await call("skipped").done).toBe("done already");
    expect(said).toEqual([]);
  });

  test("a failure of the step comes through", async () => {
    await expect(call("failing").done).rejects.toThrow("no");
    expect(said).toEqual(["before failing", "after failing"]);
  });

  test("proceeding twice is refused", async () => {
    await expect(call("twice").done).rejects.toMatchObject({ code: "FLOW_FLOW_PROCEED_TWICE" });
  });
});
