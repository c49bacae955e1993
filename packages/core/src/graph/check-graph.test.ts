import { describe, expect, test } from "vitest";
import { flowOf, type ShortStep } from "../../../../test/kit/flow-of.ts";
import { isFlowError } from "../errors/flow-error.ts";
import { checkGraph, graphProblems } from "./check-graph.ts";

type Steps = Readonly<Record<string, ShortStep>>;

function codes(steps: Steps): readonly string[] {
  return graphProblems(flowOf(steps)).map((problem) => problem.code);
}

function messages(steps: Steps): readonly string[] {
  return graphProblems(flowOf(steps)).map((problem) => problem.message);
}

describe("a graph that is accepted", () => {
  test("one step is start and end", () => {
    const graph = checkGraph(flowOf({ only: {} }));
    expect([graph.start, graph.end, graph.order, graph.edges]).toEqual(["only", "only", ["only"], []]);
  });

  test("branches are joined in declared order of their steps", () => {
    const graph = checkGraph(
      flowOf({
        start: { next: ["b", "a"] },
        a: { next: "meet" },
        b: { next: "meet" },
        meet: { join: true, next: "end" },
        end: {},
      }),
    );
    expect(graph.order).toEqual(["start", "a", "b", "meet", "end"]);
    expect(graph.nodes.meet!.incoming.map((index) => graph.edges[index]!.from)).toEqual(["a", "b"]);
    expect(graph.nodes.start!.outgoing.map((index) => graph.edges[index]!.to)).toEqual(["b", "a"]);
    expect(graph.nodes.meet!.closes).toBeUndefined();
    expect(graph.edges.every((edge) => !edge.closes)).toBe(true);
  });

  test("nested foreach are closed one by one", () => {
    const graph = checkGraph(
      flowOf({
        start: { foreach: "contenders", next: "split" },
        split: { foreach: "folds", next: "fold", arity: 1 },
        fold: { next: "folds", arity: 2 },
        folds: { join: true, next: "best", arity: 1 },
        best: { join: true, next: "end" },
        end: {},
      }),
    );
    expect(Object.fromEntries(graph.order.map((name) => [name, graph.nodes[name]!.scope]))).toEqual({
      start: [],
      split: ["start"],
      fold: ["start", "split"],
      folds: ["start"],
      best: [],
      end: [],
    });
    expect([graph.nodes.folds!.closes, graph.nodes.best!.closes]).toEqual(["split", "start"]);
    expect(graph.edges.filter((edge) => edge.closes).map(({ from, to }) => `${from} ${to}`)).toEqual([
      "fold folds",
      "folds best",
    ]);
    expect(graph.edges.filter((edge) => edge.kind === "foreach").map(({ from }) => from)).toEqual(["start", "split"]);
  });

  test("branches inside a foreach are joined and stay inside", () => {
    const graph = checkGraph(
      flowOf({
        start: { foreach: "xs", next: "each" },
        each: { next: ["left", "right"] },
        left: { next: "both" },
        right: { next: "both" },
        both: { join: true, next: "all" },
        all: { join: true, next: "end" },
        end: {},
      }),
    );
    expect([graph.nodes.both!.scope, graph.nodes.both!.closes]).toEqual([["start"], undefined]);
    expect([graph.nodes.all!.scope, graph.nodes.all!.closes]).toEqual([[], "start"]);
  });

  test("arms of a choice inside a foreach close it together, since only one of them is taken", () => {
    const graph = checkGraph(
      flowOf({
        start: { foreach: "xs", next: "each" },
        each: { next: { good: "keep", bad: "drop" } },
        keep: { next: "all" },
        drop: { next: "all" },
        all: { join: true, next: "end" },
        end: {},
      }),
    );
    expect(graph.nodes.all!.closes).toBe("start");
  });

  test("arms of a choice meet in a plain step, also by way of further choices", () => {
    expect(
      codes({
        start: { next: { a: "left", b: "right", c: "end" } },
        left: { next: { x: "right", y: "end" } },
        right: { next: "end" },
        end: {},
      }),
    ).toEqual([]);
  });

  test("two cases with one target are one transition", () => {
    const graph = checkGraph(
      flowOf({ start: { next: { a: "end", b: "end", c: "more" } }, more: { next: "end" }, end: {} }),
    );
    expect(graph.edges[0]).toMatchObject({ from: "start", to: "end", kind: "choice", cases: ["a", "b"] });
  });

  test("a choice leads into a join", () => {
    expect(
      codes({
        start: { next: { a: "left", b: "right" } },
        left: { next: "meet" },
        right: { next: "meet" },
        meet: { join: true, next: "end" },
        end: {},
      }),
    ).toEqual([]);
  });

  test("a branch with a choice inside is joined with its neighbour", () => {
    const graph = checkGraph(
      flowOf({
        start: { next: ["fork", "other"] },
        fork: { next: { a: "left", b: "meet" } },
        left: { next: "meet" },
        other: { next: "meet" },
        meet: { join: true, next: "end" },
        end: {},
      }),
    );
    expect(graph.nodes.meet!.incoming).toHaveLength(3);
  });

  test("a foreach in one arm of a choice and in one branch", () => {
    const graph = checkGraph(
      flowOf({
        start: { next: ["fan", "other"] },
        fan: { foreach: "xs", next: "each" },
        each: { next: "all" },
        all: { join: true, next: "meet" },
        other: { next: { many: "fan2", one: "skip" } },
        fan2: { foreach: "ys", next: "each2" },
        each2: { next: "all2" },
        all2: { join: true, next: "skip" },
        skip: { next: "meet" },
        meet: { join: true, next: "end" },
        end: {},
      }),
    );
    expect([graph.nodes.all!.closes, graph.nodes.all2!.closes, graph.nodes.meet!.closes]).toEqual([
      "fan",
      "fan2",
      undefined,
    ]);
  });

  test("a join fans out, and a choose joins", () => {
    expect(
      codes({
        start: { foreach: "items", next: "each" },
        each: { next: "gather", arity: 2 },
        gather: { join: true, foreach: "scores", next: "again", arity: 1 },
        again: { next: "decide", arity: 1 },
        decide: { join: true, next: { again: "loop", done: "fork" }, arity: 1 },
        loop: { next: "fork" },
        fork: { next: "end" },
        end: {},
      }),
    ).toEqual([]);
  });
});

describe("steps by themselves", () => {
  test("an unknown target is reported with the nearest name and the place, and nothing that follows from it", () => {
    const problems = graphProblems(flowOf({ start: { next: ["trian", "nowhere"] }, train: { next: "end" }, end: {} }));
    expect(problems).toEqual([
      {
        code: "FLOW_GRAPH_UNKNOWN_STEP",
        message: 'Step "start" leads to "trian", which is no step',
        hint: 'Did you mean "train"?',
        location: { file: "/flows/example.ts", line: 1 },
      },
      {
        code: "FLOW_GRAPH_UNKNOWN_STEP",
        message: 'Step "start" leads to "nowhere", which is no step',
        hint: "The steps are start, train, end",
        location: { file: "/flows/example.ts", line: 1 },
      },
    ]);
  });

  test("a foreach needs exactly one target", () => {
    expect(codes({ start: { foreach: "xs" } })).toEqual(["FLOW_GRAPH_FOREACH_TARGET"]);
    expect(
      codes({
        start: { foreach: "xs", next: ["a", "b"] },
        a: { next: "meet" },
        b: { next: "meet" },
        meet: { join: true, next: "end" },
        end: {},
      }),
    ).toContain("FLOW_GRAPH_FOREACH_TARGET");
  });

  test("a target named twice", () => {
    expect(codes({ start: { next: ["end", "end"] }, end: {} })).toEqual(["FLOW_GRAPH_REPEATED_TARGET"]);
  });

  test("a choose with one case", () => {
    expect(codes({ start: { next: { a: "end" } }, end: {} })).toEqual(["FLOW_GRAPH_FEW_CASES"]);
  });

  test("parameters that nothing is passed to", () => {
    expect(codes({ start: { next: "end", arity: 1 }, end: {} })).toEqual(["FLOW_GRAPH_UNEXPECTED_PARAMETER"]);
    expect(
      codes({ start: { foreach: "xs", next: "each" }, each: { next: "all", arity: 3 }, all: { join: true, arity: 2 } }),
    ).toEqual(["FLOW_GRAPH_UNEXPECTED_PARAMETER", "FLOW_GRAPH_UNEXPECTED_PARAMETER"]);
    expect(
      codes({ start: { foreach: "xs", next: "each" }, each: { next: "all", arity: 0 }, all: { join: true, arity: 0 } }),
    ).toEqual([]);
  });
});

describe("the shape as a whole", () => {
  test("each cycle without a choice is reported, with a shortest way around", () => {
    const problems = graphProblems(
      flowOf({
        start: { next: { go: "a", stop: "end" } },
        a: { next: "b" },
        b: { next: ["c", "a"] },
        c: { next: ["c", "end"] },
        end: {},
      }),
    );
    expect(problems.map(({ code, message, hint }) => [code, message, hint])).toEqual([
      [
        "FLOW_GRAPH_CYCLE",
        "The steps wait for each other: c → c",
        'Remove the transition c → c, or make "c" a @choose: only a choice may lead back',
      ],
      [
        "FLOW_GRAPH_CYCLE",
        "The steps wait for each other: a → b → a",
        'Remove the transition b → a, or make "b" a @choose: only a choice may lead back',
      ],
    ]);
  });

  test("a flow that goes around for ever has a cycle and nothing else", () => {
    expect(codes({ one: { next: "two" }, two: { next: "one" } })).toEqual(["FLOW_GRAPH_CYCLE"]);
    expect(codes({ one: { next: { a: "two", b: "end" } }, two: { next: "one" }, end: {} })).toEqual([
      "FLOW_GRAPH_NO_START",
    ]);
  });

  test("a transition back to start", () => {
    expect(messages({ start: { next: { a: "end", b: "again" } }, again: { next: "start" }, end: {} })).toEqual([
      "The steps wait for each other: start → again → start",
    ]);
    expect(messages({ start: { next: "end" }, before: { next: "start" }, end: {} })).toEqual([
      'Step "start" begins the flow, but "before" leads to it',
    ]);
    expect(codes({ start: { next: "end" }, before: { next: "start" }, end: {} })).toEqual([
      "FLOW_GRAPH_START_HAS_INPUT",
    ]);
  });

  test("without a step called start, the only one that nothing leads to begins", () => {
    expect(checkGraph(flowOf({ last: {}, first: { next: "last" } })).start).toBe("first");
    expect(codes({ one: { next: "end" }, two: { next: "end" }, end: {} })).toContain("FLOW_GRAPH_SEVERAL_STARTS");
  });

  test("steps that are never reached, each once", () => {
    expect(messages({ start: { next: "end" }, lost: { next: "found" }, found: { next: "end" }, end: {} })).toEqual([
      'Step "lost" is never reached from "start"',
      'Step "found" is never reached from "start"',
    ]);
  });

  test("every dead end but the last step", () => {
    const steps = { start: { next: { a: "end", b: "dead" } }, dead: {}, end: {} };
    expect(codes(steps)).toEqual(["FLOW_GRAPH_SEVERAL_ENDS"]);
    expect(messages(steps)).toEqual(['Step "dead" leads nowhere, although "end" ends the flow']);
  });

  test("a flow without steps", () => {
    expect(codes({})).toEqual(["FLOW_GRAPH_NO_START"]);
  });
});

describe("splits and joins", () => {
  test("branches that meet in a step which is no join", () => {
    expect(messages({ start: { next: ["a", "b"] }, a: { next: "end" }, b: { next: "end" }, end: {} })).toEqual([
      '"a" and "b" run in parallel and both lead to "end", which is no join',
    ]);
  });

  test("an arm that slips past the join meets the other branch", () => {
    expect(
      codes({
        start: { next: ["a", "b"] },
        a: { next: { x: "meet", y: "end" } },
        b: { next: "meet" },
        meet: { join: true, next: "end" },
        end: {},
      }),
    ).toEqual(["FLOW_GRAPH_MISSING_JOIN"]);
  });

  test("a join with nothing to join", () => {
    expect(codes({ start: { next: "end" }, end: { join: true } })).toEqual(["FLOW_GRAPH_NOTHING_TO_JOIN"]);
    expect(codes({ start: { join: true, next: "end" }, end: {} })).toEqual(["FLOW_GRAPH_NOTHING_TO_JOIN"]);
  });

  test("a foreach straight into its join", () => {
    expect(codes({ start: { foreach: "xs", next: "all" }, all: { join: true, next: "end" }, end: {} })).toEqual([
      "FLOW_GRAPH_EMPTY_FOREACH",
    ]);
  });

  test("a foreach that is never closed", () => {
    expect(messages({ start: { foreach: "xs", next: "each" }, each: { next: "end" }, end: {} })).toEqual([
      'The flow ends in "end" inside the foreach of "start"',
    ]);
  });

  test("branches inside a foreach joined by its only join leave it open", () => {
    expect(
      codes({
        start: { foreach: "xs", next: "each" },
        each: { next: ["a", "b"] },
        a: { next: "all" },
        b: { next: "all" },
        all: { join: true, next: "end" },
        end: {},
      }),
    ).toEqual(["FLOW_GRAPH_FOREACH_NOT_CLOSED"]);
  });

  test("arms that close a foreach in joins of their own", () => {
    expect(
      codes({
        start: { foreach: "xs", next: "each" },
        each: { next: { a: "left", b: "right" } },
        left: { next: "leftAll" },
        right: { next: "rightAll" },
        leftAll: { join: true, next: "end" },
        rightAll: { join: true, next: "end" },
        end: { join: true },
      }),
    ).toEqual(["FLOW_GRAPH_FOREACH_CLOSED_TWICE"]);
  });

  test("a join that mixes foreach depths", () => {
    expect(
      codes({
        start: { next: ["fan", "side"] },
        fan: { foreach: "xs", next: "each" },
        each: { next: "meet" },
        side: { next: "meet" },
        meet: { join: true, next: "end" },
        end: {},
      }),
    ).toEqual(["FLOW_GRAPH_MIXED_SCOPES"]);
  });

  test("a foreach target that another transition leads to as well", () => {
    expect(
      codes({
        start: { next: ["fan", "side"] },
        fan: { foreach: "xs", next: "each" },
        side: { next: "each" },
        each: { next: "all" },
        all: { join: true, next: "end" },
        end: {},
      })[0],
    ).toBe("FLOW_GRAPH_FOREACH_TARGET_SHARED");
  });

  test("all problems come in one error", () => {
    try {
      checkGraph(
        flowOf({
          start: { next: ["a", "b"], arity: 1 },
          a: { next: "end" },
          b: { next: "end" },
          lost: { next: "end" },
          end: {},
        }),
      );
      expect.unreachable();
    } catch (error) {
      if (!isFlowError(error)) throw error;
      expect(error.message).toBe('Cannot build the graph of flow "Example": 3 problems');
      expect(error.problems.map(({ code }) => code)).toEqual([
        "FLOW_GRAPH_UNEXPECTED_PARAMETER",
        "FLOW_GRAPH_UNREACHABLE",
        "FLOW_GRAPH_MISSING_JOIN",
      ]);
    }
  });
});

describe("the time of a check", () => {
  const many = (count: number, facts: (index: number) => ShortStep): Record<string, ShortStep> =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`step${index}`, facts(index)]));

  /** Processor time, since others use the machine too; the best of three, since nobody knows when memory is tidied up. */
  function costMs(steps: Steps): number {
    const flow = flowOf(steps);
    const costs = Array.from({ length: 3 }, () => {
      const before = process.cpuUsage();
      expect(graphProblems(flow)).toEqual([]);
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1_000;
    });
    return Math.min(...costs);
  }

  test("grows with the length of a line", () => {
    const line = (length: number): Steps => ({
      ...many(length, (index) => ({ next: index === length - 1 ? "end" : `step${index + 1}` })),
      end: {},
    });
    costMs(line(500));
    expect(costMs(line(16_000)) / costMs(line(2_000))).toBeLessThan(32); // 8 times as long; compared two by two it is 64.
  });

  test("grows with the square of the arms that meet, which all exclude each other", () => {
    const arms = (count: number): Steps => ({
      start: { next: Object.fromEntries(Array.from({ length: count }, (_, index) => [`${index}`, `step${index}`])) },
      ...many(count, () => ({ next: "end" })),
      end: {},
    });
    costMs(arms(50));
    expect(costMs(arms(800)) / costMs(arms(100))).toBeLessThan(200); // 8 times as many: 64; by pairs it is 512.
  });
});
