import { describe, expect, test } from "vitest";
import { flowOf, type ShortStep } from "../../../../test/kit/flow-of.ts";
import { checkGraph, graphProblems } from "./check-graph.ts";

type Steps = Readonly<Record<string, ShortStep>>;

const problems = (steps: Steps): readonly (readonly string[])[] =>
  graphProblems(flowOf(steps)).map(({ code, message }) => [code, message]);

describe("a loop that is accepted", () => {
  test("a step that leads back to itself", () => {
    const graph = checkGraph(
      flowOf({ start: { next: "refine" }, refine: { next: { more: "refine", done: "end" } }, end: {} }),
    );
    expect(graph.loops).toEqual([{ header: "refine", scope: [], body: ["refine"], repeats: [1], exits: [2] }]);
    expect(graph.edges.map(({ to, repeats, leaves }) => [to, repeats, leaves])).toEqual([
      ["refine", false, []],
      ["refine", true, []],
      ["end", false, ["refine"]],
    ]);
    expect(graph.nodes.refine).toMatchObject({ loops: ["refine"], incoming: [0], outgoing: [1, 2] });
    expect([graph.order, graph.end]).toEqual([["start", "refine", "end"], "end"]);
  });

  test("the first step, called start or not", () => {
    for (const name of ["start", "think"]) {
      const graph = checkGraph(flowOf({ [name]: { next: { more: name, done: "end" } }, end: {} }));
      expect([graph.start, graph.loops.map(({ header }) => header)]).toEqual([name, [name]]);
    }
    const flow = flowOf({ start: { next: "act" }, act: { next: { more: "start", done: "end" } }, end: {} });
    expect(checkGraph(flow).loops[0]!.body).toEqual(["start", "act"]);
  });

  test("several steps with branches, a foreach and two ways out, which meet again", () => {
    const graph = checkGraph(
      flowOf({
        start: { next: "plan" },
        plan: { next: { give: "sorry", go: "fork" } },
        fork: { next: ["left", "right"] },
        left: { next: "both" },
        right: { foreach: "parts", next: "part" },
        part: { next: "parts" },
        parts: { join: true, next: "both" },
        both: { join: true, next: "judge" },
        judge: { next: { again: "plan", good: "praise" } },
        sorry: { next: "end" },
        praise: { next: "end" },
        end: { join: true },
      }),
    );
    expect(graph.loops.map(({ header, body }) => [header, body])).toEqual([
      ["plan", ["plan", "fork", "left", "right", "part", "parts", "both", "judge"]],
    ]);
    const names = (indices: readonly number[]) =>
      indices.map((at) => `${graph.edges[at]!.from} ${graph.edges[at]!.to}`);
    expect([names(graph.loops[0]!.repeats), names(graph.loops[0]!.exits)]).toEqual([
      ["judge plan"],
      ["plan sorry", "judge praise"],
    ]);
    expect(graph.nodes.part).toMatchObject({ scope: ["right"], loops: ["plan"] });
    expect(graph.nodes.end!.closes).toBeUndefined();
  });

  test("loops inside of loops, one of them left through both, and one that begins where two lead back", () => {
    const graph = checkGraph(
      flowOf({
        start: { next: "outer" },
        outer: { next: "inner" },
        inner: { next: { same: "inner", next: "check", all: "outer", out: "end" } },
        check: { next: { back: "outer", fine: "end" } },
        end: {},
      }),
    );
    expect(graph.loops.map(({ header, body }) => [header, body])).toEqual([
      ["outer", ["outer", "inner", "check"]],
      ["inner", ["inner"]],
    ]);
    const leaves = Object.fromEntries(graph.edges.map((edge) => [`${edge.from} ${edge.to}`, edge.leaves]));
    expect(leaves).toEqual({
      "start outer": [],
      "outer inner": [],
      "inner inner": [],
      "inner check": ["inner"],
      "inner outer": ["inner"],
      "inner end": ["inner", "outer"],
      "check outer": [],
      "check end": ["outer"],
    });
  });

  test("the target of a foreach repeats itself, and its ways out close the foreach together", () => {
    const graph = checkGraph(
      flowOf({
        start: { foreach: "items", next: "refine" },
        refine: { arity: 2, next: { more: "refine", done: "all", poor: "drop" } },
        drop: { next: "all" },
        all: { join: true, next: "end" },
        end: {},
      }),
    );
    expect(graph.loops[0]).toMatchObject({ header: "refine", scope: ["start"], body: ["refine"] });
    expect(graph.nodes.all!.closes).toBe("start");
    expect(graph.edges.filter((edge) => edge.closes).map(({ from }) => from)).toEqual(["refine", "drop"]);
  });

  test("a join inside of a loop brings arms of a choice together, and leaves the foreach around the loop open", () => {
    const graph = checkGraph(
      flowOf({
        start: { foreach: "items", next: "try" },
        try: { next: { a: "left", b: "right" } },
        left: { next: "meet" },
        right: { next: "meet" },
        meet: { join: true, next: "judge" },
        judge: { next: { again: "try", done: "all" } },
        all: { join: true, next: "end" },
        end: {},
      }),
    );
    expect([graph.nodes.meet!.closes, graph.nodes.judge!.scope, graph.nodes.all!.closes]).toEqual([
      undefined,
      ["start"],
      "start",
    ]);
  });

  test("a loop beside another branch, and one in an arm of a choice", () => {
    expect(
      problems({
        start: { next: ["loop", "other"] },
        loop: { next: { more: "loop", done: "meet" } },
        other: { next: { skip: "meet", go: "try" } },
        try: { next: { again: "try", done: "meet" } },
        meet: { join: true, next: "end" },
        end: {},
      }),
    ).toEqual([]);
  });
});

describe("a loop that is refused", () => {
  test("it can be entered past its first step", () => {
    expect(
      problems({
        start: { next: { a: "a", b: "b" } },
        a: { next: "b" },
        b: { next: { back: "a", on: "end" } },
        end: {},
      }),
    ).toEqual([["FLOW_GRAPH_LOOP_ENTRIES", 'The loop a → b → a can be entered in several places, at "a" and "b"']]);
  });

  test("it has no way out", () => {
    expect(
      problems({
        start: { next: { go: "a", stop: "end" } },
        a: { next: "b" },
        b: { next: { back: "a", same: "b" } },
        end: {},
      }),
    ).toEqual([["FLOW_GRAPH_LOOP_ENDLESS", 'The loop of "a" and "b" never ends: nothing leads out of it']]);
  });

  test("it begins with a join", () => {
    expect(
      problems({
        start: { next: ["a", "b"] },
        a: { next: "meet" },
        b: { next: "meet" },
        meet: { join: true, next: { again: "meet", done: "end" } },
        end: {},
      }),
    ).toEqual([
      [
        "FLOW_GRAPH_LOOP_INTO_JOIN",
        'A choice leads back to join "meet", which would have nothing to join from the second round on',
      ],
    ]);
  });

  test("it leads back out of a foreach, leaves from inside of one, or closes one that is around it", () => {
    expect(
      problems({
        start: { next: "split" },
        split: { foreach: "items", next: "each" },
        each: { next: { back: "split", on: "all" } },
        all: { join: true, next: "end" },
        end: {},
      }),
    ).toEqual([
      [
        "FLOW_GRAPH_LOOP_CROSSES_FOREACH",
        '"each" leads to "split" inside the foreach of "split", but the loop that begins with "split" goes around that foreach',
      ],
    ]);
    expect(
      problems({
        start: { foreach: "items", next: "each" },
        each: { next: "all" },
        all: { join: true, next: { again: "each", done: "end" } },
        end: {},
      })[0],
    ).toEqual([
      "FLOW_GRAPH_LOOP_CROSSES_FOREACH",
      'Join "all" stands inside the loop that begins with "each", but would close the foreach of "start", which opens before it',
    ]);
  });

  test("its branches lead back or out before they are joined", () => {
    expect(
      problems({
        start: { next: "fork" },
        fork: { next: ["a", "b"] },
        a: { next: { again: "fork", done: "meet" } },
        b: { next: "meet" },
        meet: { join: true, next: "end" },
        end: {},
      }),
    ).toEqual([
      [
        "FLOW_GRAPH_LOOP_BRANCHES",
        '"a" and "fork" run in parallel and lead out of one round of the loop that begins with "fork" in two ways at once',
      ],
    ]);
    expect(
      problems({
        start: { next: "fork" },
        fork: { next: ["a", "b"] },
        a: { next: { again: "fork", done: "meet" } },
        b: { next: { again: "fork", done: "meet" } },
        meet: { join: true, next: "end" },
        end: {},
      }).map(([code]) => code),
    ).toEqual(["FLOW_GRAPH_LOOP_BRANCHES"]);
  });
});
