import { describe, expect, test } from "vitest";
import type { FlowDefinition, StepDefinition } from "../../flow/definition.ts";
import { checkGraph } from "../../graph/check-graph.ts";
import type { TaskSequence } from "../../metadata/metadata-store.ts";
import { type ReadyTask, Scheduler, type TaskOutcome } from "./scheduler.ts";

type Facts = Partial<StepDefinition> & { readonly next?: readonly string[] };

function flowOf(steps: Readonly<Record<string, Facts>>): FlowDefinition {
  return {
    project: "test",
    name: "Test",
    formerly: [],
    params: [],
    upstreams: [],
    artifacts: [],
    configs: [],
    files: [],
    constants: [],
    steps: Object.entries(steps).map(([name, facts]) => ({
      name,
      kind: facts.on !== undefined ? "choose" : facts.isJoin ? "join" : "step",
      isJoin: false,
      next: [],
      behaviour: {},
      arity: 0,
      ...facts,
    })),
  };
}

/** Runs a flow to its end; tasks finish in the order that `pick` chooses. */
function play(
  definition: FlowDefinition,
  outcome: (task: ReadyTask) => TaskOutcome,
  pick: (count: number) => number = () => 0,
) {
  const graph = checkGraph(definition);
  let next = 1;
  const scheduler = new Scheduler(graph, (count) => {
    const first = next as TaskSequence;
    next += count;
    return first;
  });
  const ran: ReadyTask[] = [];
  const running: ReadyTask[] = [];
  scheduler.begin();
  while (!scheduler.isIdle) {
    for (const { step } of [...scheduler.readySteps()]) running.push(...scheduler.take(step, 3));
    const [task] = running.splice(pick(running.length), 1);
    ran.push(task!);
    scheduler.succeeded(task!.sequence, outcome(task!));
  }
  return { ran, scheduler };
}

const name = (task: ReadyTask): string => (task.path === "" ? task.step : `${task.step}/${task.path}`);

describe("scheduler", () => {
  test("a line runs in order and each step inherits from the one before", () => {
    const { ran, scheduler } = play(
      flowOf({ start: { next: ["middle"] }, middle: { next: ["end"] }, end: {} }),
      () => ({}),
    );
    expect(ran.map(name)).toEqual(["start", "middle", "end"]);
    expect(ran[1]!.inherits).toBe(ran[0]!.sequence);
    expect(scheduler.endTask).toBe(ran[2]!.sequence);
  });

  test("a join waits for both branches and gets them in declared order, whichever ends first", () => {
    const flow = flowOf({
      start: { next: ["left", "right"] },
      left: { next: ["meet"] },
      right: { next: ["meet"] },
      meet: { isJoin: true, next: ["end"] },
      end: {},
    });
    for (const pick of [() => 0, (count: number) => count - 1]) {
      const { ran } = play(flow, () => ({}), pick);
      const meet = ran.find((task) => task.step === "meet")!;
      expect(meet.inputs!.map((input) => input.from)).toEqual(["left", "right"]);
      expect(meet.inherits).toBeUndefined();
    }
  });

  test("the join of a foreach gets its inputs in the order of the items, whichever ends first", () => {
    const flow = flowOf({
      start: { next: ["work"], foreach: "items" },
      work: { next: ["gather"], arity: 1 },
      gather: { isJoin: true, next: ["end"] },
      end: {},
    });
    const { ran } = play(
      flow,
      (task) => (task.step === "start" ? { fanOut: 7 } : {}),
      (count) => count - 1,
    );
    const byTask = new Map(ran.map((task) => [task.sequence, task]));
    const gather = ran.find((task) => task.step === "gather")!;
    expect(gather.inputs!.map((input) => byTask.get(input.task)!.item!.index)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  test("the join of an empty foreach runs with no inputs", () => {
    const flow = flowOf({
      start: { next: ["work"], foreach: "items" },
      work: { next: ["gather"], arity: 1 },
      gather: { isJoin: true, next: ["end"] },
      end: {},
    });
    const { ran } = play(flow, (task) => (task.step === "start" ? { fanOut: 0 } : {}));
    expect(ran.map(name)).toEqual(["start", "gather", "end"]);
    expect(ran[1]!.inputs).toEqual([]);
  });

  test("a choice runs the arm that was chosen, and a join after it gets that arm alone", () => {
    const flow = flowOf({
      start: {
        on: "mode",
        cases: [
          { value: "a", target: "left" },
          { value: "b", target: "right" },
        ],
        next: ["left", "right"],
      },
      left: { next: ["meet"] },
      right: { next: ["meet"] },
      meet: { isJoin: true, next: ["end"] },
      end: {},
    });
    const { ran } = play(flow, (task) => (task.step === "start" ? { choice: "b" } : {}));
    expect(ran.map(name)).toEqual(["start", "right", "meet", "end"]);
    expect(ran[2]!.inputs!.map((input) => input.from)).toEqual(["right"]);
  });

  test("a foreach on an arm that was not taken never opens, and its join is dead with it", () => {
    const flow = flowOf({
      start: {
        on: "mode",
        cases: [
          { value: "wide", target: "split" },
          { value: "skip", target: "end" },
        ],
        next: ["split", "end"],
      },
      split: { next: ["work"], foreach: "items" },
      work: { next: ["gather"], arity: 1 },
      gather: { isJoin: true, next: ["end"] },
      end: {},
    });
    const { ran } = play(flow, (task) => (task.step === "start" ? { choice: "skip" } : {}));
    expect(ran.map(name)).toEqual(["start", "end"]);
  });

  test("tasks of a lost worker run again, before all others and one by one", () => {
    const graph = checkGraph(
      flowOf({ start: { next: ["work"], foreach: "items" }, work: { next: ["end"], arity: 1 }, end: { isJoin: true } }),
    );
    let next = 1;
    const scheduler = new Scheduler(graph, (count) => {
      next += count;
      return (next - count) as TaskSequence;
    });
    scheduler.begin();
    scheduler.succeeded(scheduler.take("start", 1)[0]!.sequence, { fanOut: 4 });
    const lost = scheduler.take("work", 2);
    for (const task of lost) scheduler.giveBack(task.sequence, { isAlone: true });
    expect(scheduler.take("work", 10)).toEqual([lost[0]]);
    expect(scheduler.take("work", 10)).toEqual([lost[1]]);
    expect(scheduler.take("work", 10).map((task) => task.item!.index)).toEqual([2, 3]);
  });

  test("a task that reports twice is a broken invariant", () => {
    const scheduler = new Scheduler(checkGraph(flowOf({ start: {} })), () => 1 as TaskSequence);
    scheduler.begin();
    const [task] = scheduler.take("start", 1);
    scheduler.succeeded(task!.sequence, {});
    expect(() => scheduler.succeeded(task!.sequence, {})).toThrow(expect.objectContaining({ code: "FLOW_INTERNAL" }));
  });
});
