import { describe, expect, test } from "vitest";
import { current } from "../flow/current.ts";
import { join, step } from "../flow/decorators.ts";
import { Flow } from "../flow/flow.ts";
import type { Inputs } from "../flow/public-types.ts";
import { runFlow } from "./run-flow.ts";
import { runStep } from "./run-step.ts";

class Train extends Flow {
  folds!: number[];
  @step({ next: "fold", foreach: "folds" }) start() {
    this.folds = [1, 2];
  }
  @step({ next: "gather", retry: { times: 1 } }) fold(fold: number) {
    const { log } = this;
    log.metric("loss", fold / 2);
    log.metric("loss", fold / 4, { step: 7 });
    if (current.attempt === 1) throw new Error("the first attempt fails");
  }
  @join({ next: "end" }) gather(_inputs: Inputs<Train>) {
    current.log.metric("r2", 0.5);
    expect(current.log).toBe(this.log);
  }
  @step() end() {}
}

describe("metrics of tests", () => {
  test("a step gives what it recorded", async () => {
    const { metrics } = await runStep(Train, "fold", { item: 2, attempt: 2 });
    expect(metrics).toEqual({ loss: [{ value: 1 }, { value: 0.5, step: 7 }] });
    expect((await runStep(Train, "end", {})).metrics).toEqual({});
  });

  test("a run gives the last values, and its tasks theirs, of the attempt that succeeded alone", async () => {
    const { metrics, tasks } = await runFlow(Train);
    expect(Object.keys(metrics).sort()).toEqual(["loss", "r2"]);
    expect(metrics.r2).toBe(0.5);
    expect(tasks.find(({ path }) => path === "1")?.metrics).toEqual({ loss: [{ value: 1 }, { value: 0.5, step: 7 }] });
    expect(tasks.find(({ step: name }) => name === "start")?.metrics).toEqual({});
  });

  test("outside of a step nothing is recorded", () => {
    expect(() => (new Train() as unknown as { log: unknown }).log).toThrow(
      expect.objectContaining({ code: "FLOW_FLOW_NOT_RUNNING" }),
    );
  });
});
