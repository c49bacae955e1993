import fc from "fast-check";
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

/** A flow as nested blocks: what it means to run one can be said without a scheduler. */
type Block =
  | { readonly kind: "step" }
  | { readonly kind: "sequence"; readonly blocks: readonly Block[] }
  /** With `isDirect`, the arms of a branch that is a choice lead straight into the join, which then waits for one of them. */
  | { readonly kind: "fork"; readonly branches: readonly Block[]; readonly isDirect: boolean }
  | { readonly kind: "foreach"; readonly body: Block; readonly sizes: readonly number[] }
  | { readonly kind: "choice"; readonly arms: readonly Block[]; readonly taken: readonly number[] };

const { block } = fc.letrec<{ block: Block }>((tie) => ({
  block: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constant<Block>({ kind: "step" }),
    fc.record({
      kind: fc.constant("sequence" as const),
      blocks: fc.array(tie("block"), { minLength: 1, maxLength: 3 }),
    }),
    fc.record({
      kind: fc.constant("fork" as const),
      branches: fc.array(tie("block"), { minLength: 2, maxLength: 3 }),
      isDirect: fc.boolean(),
    }),
    fc.record({
      kind: fc.constant("foreach" as const),
      body: tie("block"),
      sizes: fc.array(fc.nat(3), { minLength: 1, maxLength: 3 }),
    }),
    fc.record({
      kind: fc.constant("choice" as const),
      arms: fc.array(tie("block"), { minLength: 2, maxLength: 3 }),
      taken: fc.array(fc.nat(2), { minLength: 1, maxLength: 3 }),
    }),
  ),
}));

interface Compiled {
  readonly steps: Record<string, Facts & { next: string[] }>;
  readonly outcome: Map<string, (task: ReadyTask) => TaskOutcome>;
}

/** A number that depends on the task alone, so that model and scheduler agree without talking. */
const at = (values: readonly number[], path: string): number =>
  values[[...path].reduce((sum, character) => sum + character.charCodeAt(0), 0) % values.length]!;

interface Place {
  readonly path: string;
}

/** Writes a block as steps; gives its first steps' name, its loose ends, and how to run it by the model. */
function compile(
  tree: Block,
  into: Compiled,
  wants: boolean,
  isMerged = true,
): { first: string; last: string[]; run: (place: Place, log: string[]) => void } {
  const fresh = (kind: string): string => `${kind}${Object.keys(into.steps).length}`;
  const add = (step: string, facts: Facts): void => {
    into.steps[step] = { ...facts, next: [] };
  };
  switch (tree.kind) {
    case "step": {
      const step = fresh("step");
      add(step, wants ? { arity: 1 } : {});
      return { first: step, last: [step], run: (place, log) => log.push(`${step}/${place.path}`) };
    }
    case "sequence": {
      const parts = tree.blocks.map((part, index) => compile(part, into, wants && index === 0));
      for (let index = 1; index < parts.length; index++)
        for (const from of parts[index - 1]!.last) into.steps[from]!.next.push(parts[index]!.first);
      return {
        first: parts[0]!.first,
        last: parts.at(-1)!.last,
        run: (place, log) => {
          for (const part of parts) part.run(place, log);
        },
      };
    }
    case "fork": {
      const fork = fresh("fork");
      add(fork, wants ? { arity: 1 } : {});
      const branches = tree.branches.map((branch) => compile(branch, into, false, !tree.isDirect));
      const join = fresh("meet");
      add(join, { isJoin: true });
      for (const branch of branches) {
        into.steps[fork]!.next.push(branch.first);
        for (const from of branch.last) into.steps[from]!.next.push(join);
      }
      return {
        first: fork,
        last: [join],
        run: (place, log) => {
          log.push(`${fork}/${place.path}`);
          for (const branch of branches) branch.run(place, log);
          log.push(`${join}/${place.path}`);
        },
      };
    }
    case "foreach": {
      const split = fresh("split");
      add(split, { foreach: "items", ...(wants ? { arity: 1 } : {}) });
      const body = compile(tree.body, into, true);
      const gather = fresh("gather");
      add(gather, { isJoin: true });
      into.steps[split]!.next.push(body.first);
      for (const from of body.last) into.steps[from]!.next.push(gather);
      into.outcome.set(split, (task) => ({ fanOut: at(tree.sizes, task.path) }));
      return {
        first: split,
        last: [gather],
        run: (place, log) => {
          log.push(`${split}/${place.path}`);
          for (let index = 0; index < at(tree.sizes, place.path); index++)
            body.run({ path: place.path === "" ? String(index) : `${place.path}.${index}` }, log);
          log.push(`${gather}/${place.path}`);
        },
      };
    }
    case "choice": {
      const choose = fresh("choose");
      add(choose, { on: "mode", ...(wants ? { arity: 1 } : {}) });
      const arms = tree.arms.map((arm) => compile(arm, into, false));
      into.steps[choose] = {
        ...into.steps[choose]!,
        cases: arms.map((arm, index) => ({ value: String(index), target: arm.first })),
        next: arms.map((arm) => arm.first),
      };
      const ends = arms.flatMap((arm) => arm.last);
      const merge = isMerged ? fresh("merge") : undefined;
      if (merge !== undefined) {
        add(merge, {});
        for (const from of ends) into.steps[from]!.next.push(merge);
      }
      const taken = (path: string): number => at(tree.taken, path) % arms.length;
      into.outcome.set(choose, (task) => ({ choice: String(taken(task.path)) }));
      return {
        first: choose,
        last: merge === undefined ? ends : [merge],
        run: (place, log) => {
          log.push(`${choose}/${place.path}`);
          arms[taken(place.path)]!.run(place, log);
          if (merge !== undefined) log.push(`${merge}/${place.path}`);
        },
      };
    }
  }
}

test("every nesting of branches, foreachs and choices runs the tasks that its structure says, each once", () => {
  fc.assert(
    fc.property(block, fc.infiniteStream(fc.nat(1_000)), (tree, numbers) => {
      const compiled: Compiled = { steps: { start: { next: [] } }, outcome: new Map() };
      const body = compile(tree, compiled, false);
      compiled.steps.start!.next.push(body.first);
      compiled.steps.end = { next: [] };
      for (const from of body.last) compiled.steps[from]!.next.push("end");
      const expected: string[] = ["start/"];
      body.run({ path: "" }, expected);
      expected.push("end/");
      const pick = (count: number): number => numbers.next().value! % count;
      const { ran, scheduler } = play(
        flowOf(compiled.steps),
        (task) => compiled.outcome.get(task.step)?.(task) ?? {},
        pick,
      );
      expect(ran.map((task) => `${task.step}/${task.path}`).sort()).toEqual(expected.sort());
      expect(scheduler.endTask).toBe(ran.at(-1)!.sequence);
    }),
    { numRuns: 300 },
  );
});
