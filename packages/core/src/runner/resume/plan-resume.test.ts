import { describe, expect, test } from "vitest";
import { flowOf, type ShortStep } from "../../../../../test/kit/flow-of.ts";
import type { Digest } from "../../artifact/artifact.ts";
import type { FlowError } from "../../errors/flow-error.ts";
import type { FlowDefinition } from "../../flow/definition.ts";
import { checkGraph } from "../../graph/check-graph.ts";
import type { TaskSequence } from "../../metadata/metadata-store.ts";
import type { FinishedTaskColumns } from "../../metadata/replay.ts";
import { planResume, type ResumeOrigin, type ResumeTarget, type ValueFact } from "./plan-resume.ts";

/** start ─▶ split ═▶ work ═▶ gather ─▶ report, and start ─▶ note ─▶ report */
const STEPS: Readonly<Record<string, ShortStep>> = {
  start: { next: ["split", "note"] },
  split: { next: "work", foreach: "items" },
  work: { next: "gather", arity: 1 },
  gather: { next: "report", join: true },
  note: { next: "report" },
  report: { next: "end", join: true },
  end: {},
};

const A = "a".repeat(64) as Digest;
const B = "b".repeat(64) as Digest;

function definition(
  steps: Readonly<Record<string, ShortStep>>,
  codes: Readonly<Record<string, string>> = {},
): FlowDefinition {
  const flow = flowOf(steps);
  return {
    ...flow,
    steps: flow.steps.map((step) => ({ ...step, codeDigest: codes[step.name] ?? `code of ${step.name}` })),
  };
}

/** Finished tasks with what they read; `undefined` for "not known". */
function finished(tasks: Readonly<Record<string, readonly string[] | undefined>>): FinishedTaskColumns {
  const names = Object.keys(tasks).sort();
  const of = <T>(value: (name: string) => T): readonly T[] => names.map(value);
  return {
    count: names.length,
    sequences: names.map((_, index) => (index + 1) as TaskSequence),
    steps: of((name) => name.split("/")[0]!),
    paths: of((name) => name.split("/")[1] ?? ""),
    statuses: of(() => "succeeded" as const),
    fanOuts: of(() => undefined),
    choices: of(() => undefined),
    valueReads: of((name) => tasks[name]),
    unfinished: [],
  };
}

const HALF = finished({ start: ["folds"], split: [], note: [], "work/0": [], "work/2": ["rate"] });
const values = (facts: Readonly<Record<string, Digest | ValueFact>>): ReadonlyMap<string, ValueFact> =>
  new Map(
    Object.entries(facts).map(([name, fact]) => [
      name,
      typeof fact === "string" ? { kind: "parameter", codec: "cbor", digest: fact } : fact,
    ]),
  );

function origin(more: Partial<ResumeOrigin> = {}): ResumeOrigin {
  return {
    name: "Example/3",
    status: "failed",
    packageDigest: A,
    flow: definition(STEPS),
    finished: HALF,
    values: values({ folds: A, rate: A }),
    upstreams: new Map([["source", "run 1"]]),
    ...more,
  };
}

function target(more: Partial<Omit<ResumeTarget, "graph">> & { readonly flow?: FlowDefinition } = {}): ResumeTarget {
  const { flow = definition(STEPS), ...rest } = more;
  return {
    packageDigest: A,
    values: values({ folds: A, rate: A }),
    upstreams: new Map([["source", "run 1"]]),
    ...rest,
    graph: checkGraph(flow),
  };
}

const reasonsOf = (plan: ReturnType<typeof planResume>): Readonly<Record<string, string>> =>
  plan.kind === "continue"
    ? {}
    : Object.fromEntries(
        plan.rerun.map(({ step, reason }) => [step, reason.kind === "after" ? `after ${reason.step}` : reason.kind]),
      );
const keptOf = (plan: ReturnType<typeof planResume>): readonly string[] =>
  plan.kept.map(({ step, tasks }) => `${step} ${tasks}`);

function refusal(run: () => unknown): FlowError {
  try {
    run();
  } catch (error) {
    return error as FlowError;
  }
  throw new Error("It was not refused");
}

describe("the same run goes on", () => {
  test.each(["failed", "cancelled", "lost"] as const)("when nothing is different and it %s", (status) => {
    const plan = planResume(origin({ status }), target());
    expect(plan.kind).toBe("continue");
    expect(keptOf(plan)).toEqual(["start 1", "split 1", "work 2", "note 1"]);
  });

  test("also when --changed is asked and nothing changed", () => {
    expect(planResume(origin(), target(), { changed: true }).kind).toBe("continue");
  });

  test("when values or upstreams are new to the flow: no task can have read them", () => {
    const more = {
      values: values({ folds: A, rate: A, extra: B }),
      upstreams: new Map([
        ["source", "run 1"],
        ["other", "run 2"],
      ]),
    };
    expect(planResume(origin(), target(more)).kind).toBe("continue");
  });
});

describe("a fork", () => {
  test("another package with the same code keeps all that is finished", () => {
    const plan = planResume(origin(), target({ packageDigest: B }));
    expect(plan).toMatchObject({ kind: "fork", rerun: [], changedSteps: [], exceptSteps: [], warnings: [] });
    expect(keptOf(plan)).toEqual(["start 1", "split 1", "work 2", "note 1"]);
  });

  test("--from runs the step and all after it again, and keeps what is beside it", () => {
    const plan = planResume(origin(), target(), { from: "split" });
    expect(reasonsOf(plan)).toEqual({
      split: "asked",
      work: "after split",
      gather: "after work",
      report: "after gather",
      end: "after report",
    });
    expect(keptOf(plan)).toEqual(["start 1", "note 1"]);
    expect(plan.kind === "fork" && plan.exceptSteps.toSorted()).toEqual(["end", "gather", "report", "split", "work"]);
  });

  test("of a run that succeeded keeps what is before --from", () => {
    const all = finished({ start: [], split: [], "work/0": [], gather: [], note: [], report: [], end: [] });
    const plan = planResume(origin({ status: "succeeded", finished: all }), target(), { from: "report" });
    expect(keptOf(plan)).toEqual(["start 1", "split 1", "work 1", "gather 1", "note 1"]);
  });

  test("changed code is told for kept tasks, and --changed runs it and what depends on it again", () => {
    const flow = definition(STEPS, { note: "other code", gather: "other code" });
    const plan = planResume(origin(), target({ packageDigest: B, flow }));
    expect(plan).toMatchObject({
      changedSteps: [
        { step: "gather", kind: "changed" },
        { step: "note", kind: "changed" },
      ],
      rerun: [],
    });
    // "gather" has no finished task: there is nothing of its old code to keep.
    expect(plan.kind === "fork" && plan.warnings.map(({ message }) => message)).toEqual([
      'The code of "note" changed; finished tasks are kept as the old code made them',
    ]);
    const again = planResume(origin(), target({ packageDigest: B, flow }), { changed: true });
    expect(reasonsOf(again)).toEqual({ gather: "code", note: "code", report: "after gather", end: "after report" });
    expect(keptOf(again)).toEqual(["start 1", "split 1", "work 2"]);
    expect(again).toMatchObject({ warnings: [] });
  });

  test("a record without step digests proves nothing: each step counts as changed", () => {
    const flow = definition(STEPS);
    const old = { ...flow, steps: flow.steps.map(({ codeDigest: _, ...step }) => step) };
    const plan = planResume(origin({ flow: old }), target({ packageDigest: B }));
    expect(plan.kind === "fork" && plan.changedSteps.length).toBe(7);
  });
});

describe("a graph that changed", () => {
  test("a new step between two old ones runs, and all after it again; what is before it is kept", () => {
    const flow = definition({ ...STEPS, start: { next: ["split", "check"] }, check: { next: "note" } });
    const plan = planResume(origin(), target({ packageDigest: B, flow }));
    expect(reasonsOf(plan)).toEqual({ check: "new", note: "graph", report: "after note", end: "after report" });
    expect(keptOf(plan)).toEqual(["start 1", "split 1", "work 2"]);
    expect(plan.kind === "fork" && plan.exceptSteps.toSorted()).toEqual(["check", "end", "note", "report"]);
  });

  test("a step that is gone keeps nothing", () => {
    const { note: _, ...rest } = STEPS;
    const flow = definition({ ...rest, start: { next: "split" }, report: { next: "end" } });
    const plan = planResume(origin(), target({ packageDigest: B, flow }));
    expect(plan).toMatchObject({
      exceptSteps: ["report", "end", "note"],
      changedSteps: [{ step: "note", kind: "removed" }],
    });
    expect(reasonsOf(plan)).toEqual({ report: "graph", end: "after report" });
  });

  test("another field to iterate over makes other items: the split runs again with all that it opens", () => {
    const flow = definition({ ...STEPS, split: { next: "work", foreach: "others" } });
    const plan = planResume(origin(), target({ packageDigest: B, flow }));
    expect(reasonsOf(plan)).toMatchObject({ split: "graph", work: "after split" });
    expect(keptOf(plan)).toEqual(["start 1", "note 1"]);
  });

  test("what stands inside a foreach now and did not before is not kept", () => {
    const flow = definition({
      start: { next: "split" },
      split: { next: "note", foreach: "items" },
      note: { next: "work", arity: 1 },
      work: { next: "gather" },
      gather: { next: "end", join: true },
      end: {},
    });
    expect(keptOf(planResume(origin(), target({ packageDigest: B, flow })))).toEqual(["start 1", "split 1"]);
  });

  test("the order of a join's branches is a change of the join: its inputs come in that order", () => {
    const all = finished({ start: [], split: [], "work/0": [], gather: [], note: [], report: [] });
    const { note, ...rest } = STEPS;
    const flow = definition({ start: rest.start!, note: note!, ...rest });
    expect(reasonsOf(planResume(origin({ finished: all }), target({ packageDigest: B, flow })))).toEqual({
      report: "graph",
      end: "after report",
    });
  });

  test("a case that leads elsewhere runs both targets again, and the choice is kept", () => {
    const choice = (good: string): FlowDefinition =>
      definition({ start: { next: { good, bad: "b" } }, a: { next: "end" }, b: { next: "end" }, end: { join: true } });
    const before = { ...choice("a") };
    const three = definition({
      start: { next: { good: "b", bad: "b", other: "a" } },
      a: { next: "end" },
      b: { next: "end" },
      end: { join: true },
    });
    const done = finished({ start: [], a: [] });
    const plan = planResume(origin({ flow: before, finished: done }), target({ packageDigest: B, flow: three }));
    expect(keptOf(plan)).toEqual(["start 1"]);
    expect(reasonsOf(plan)).toMatchObject({ a: "graph", b: "graph" });
  });

  test("a loop runs again as a whole, whichever of its steps is named", () => {
    const flow = definition({
      start: { next: "refine" },
      refine: { next: "judge" },
      judge: { next: { again: "refine", done: "end" } },
      end: {},
    });
    const done = finished({ start: [], "refine/~0": [], "judge/~0": [], "refine/~1": [] });
    const plan = planResume(origin({ flow, finished: done }), target({ flow }), { from: "judge" });
    expect(keptOf(plan)).toEqual(["start 1"]);
    expect(reasonsOf(plan)).toEqual({ refine: "after judge", judge: "asked", end: "after judge" });
  });
});

describe("values that changed", () => {
  test("are fine when no kept task read them", () => {
    const late = { values: values({ folds: A, rate: B }) };
    const plan = planResume(origin({ finished: finished({ start: ["folds"], split: [] }) }), target(late));
    expect(plan).toMatchObject({ kind: "fork", changedParameters: ["rate"], warnings: [] });
  });

  test("are refused when kept tasks read them: the readers are named, and the step to run from", () => {
    const error = refusal(() => planResume(origin(), target({ values: values({ folds: A, rate: B }) })));
    expect(error).toMatchObject({
      code: "FLOW_RESUME_VALUE_READ",
      message: expect.stringContaining('"rate" is not what it was, and finished tasks of "work" read it'),
    });
    expect(JSON.stringify(error.toJSON())).toContain("--from work");
  });

  test("with several readers, the step to run from comes before all of them", () => {
    const done = finished({ start: [], split: [], "work/0": ["rate"], note: ["rate"] });
    const error = refusal(() =>
      planResume(origin({ finished: done }), target({ values: values({ folds: A, rate: B }) })),
    );
    expect(error.message).toContain('"work", "note"');
    expect(JSON.stringify(error.toJSON())).toContain("--from start");
  });

  test("are fine when --from or --changed runs all readers again", () => {
    const other = target({ values: values({ folds: A, rate: B }) });
    expect(planResume(origin(), other, { from: "work" })).toMatchObject({ kind: "fork", changedParameters: ["rate"] });
    const flow = definition(STEPS, { work: "other code" });
    expect(
      planResume(origin(), target({ packageDigest: B, flow, values: values({ folds: A, rate: B }) }), { changed: true })
        .kind,
    ).toBe("fork");
  });

  test("are refused when nobody knows what a kept task read", () => {
    const unknown = finished({ start: ["folds"], split: undefined });
    const error = refusal(() =>
      planResume(origin({ finished: unknown }), target({ values: values({ folds: A, rate: B }) })),
    );
    expect(error.message).toContain('finished tasks of "split" may have read it');
  });

  test("every changed value is told at once", () => {
    const error = refusal(() => planResume(origin(), target({ values: values({ folds: B, rate: B }) })));
    expect(error.problems.map(({ message }) => message.slice(0, 8))).toEqual(['"folds" ', '"rate" i']);
  });

  test("a constant that changed is code: it is told, not refused", () => {
    const constant = (digest: Digest): ValueFact => ({ kind: "constant", codec: "cbor", digest });
    const plan = planResume(
      origin({ values: values({ folds: constant(A), rate: A }) }),
      target({ packageDigest: B, values: values({ folds: constant(B), rate: A }) }),
    );
    expect(plan.kind === "fork" && plan.warnings).toMatchObject([
      {
        code: "FLOW_RESUME_CODE_CHANGED",
        message: 'The constant "folds" has another value than finished tasks of "start" read',
      },
    ]);
  });

  test("configs and files are values as well; another codec is another value", () => {
    const file = (codec: string): ValueFact => ({ kind: "file", codec, digest: A });
    const facts = (codec: string) => ({ values: values({ folds: file(codec), rate: A }) });
    expect(refusal(() => planResume(origin(facts("text")), target(facts("bytes")))).code).toBe(
      "FLOW_RESUME_VALUE_READ",
    );
  });

  test("an upstream that leads to another run is refused when kept tasks read from it", () => {
    const other = target({ upstreams: new Map([["source", "run 2"]]) });
    expect(planResume(origin(), other)).toMatchObject({ kind: "fork", rerun: [] });
    const read = finished({ start: [], split: [], "work/0": ["source"], end: ["source"] });
    const error = refusal(() => planResume(origin({ finished: read }), other));
    expect(error.message).toContain('"source" is not what it was, and finished tasks of "work", "end" read it');
    expect(planResume(origin({ finished: read }), other, { from: "work" }).kind).toBe("fork");
  });
});

describe("what cannot be resumed", () => {
  test("a run that is running", () => {
    expect(refusal(() => planResume(origin({ status: "running" }), target())).code).toBe("FLOW_RESUME_RUNNING");
  });

  test("a step that is none, with the nearest name", () => {
    const error = refusal(() => planResume(origin(), target(), { from: "gahter" }));
    expect([error.code, error.hint]).toEqual(["FLOW_RESUME_UNKNOWN_STEP", 'Did you mean "gather"?']);
    expect(refusal(() => planResume(origin(), target(), { from: "xyz" })).hint).toContain("start, split");
  });

  test("a run that succeeded, when nothing is to run again", () => {
    const done = origin({ status: "succeeded" });
    expect(refusal(() => planResume(done, target())).code).toBe("FLOW_RESUME_NOTHING_TO_DO");
    const flow = definition(STEPS, { note: "other code" });
    const error = refusal(() => planResume(done, target({ packageDigest: B, flow })));
    expect([error.code, error.hint]).toEqual([
      "FLOW_RESUME_NOTHING_TO_DO",
      "Run the changed steps again with --changed (note), or from a step with --from STEP",
    ]);
    expect(planResume(done, target({ packageDigest: B, flow }), { changed: true }).kind).toBe("fork");
  });
});

test("a run of 100,000 finished tasks is planned like any other", () => {
  const many = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`work/${index}`, []]));
  const columns = { ...finished({ start: ["folds"], split: [] }) };
  const wide = finished(many);
  const all = {
    ...wide,
    count: wide.count + 2,
    steps: [...wide.steps, ...columns.steps],
    valueReads: [...wide.valueReads, ...columns.valueReads],
  };
  const plan = planResume(
    origin({ finished: all as FinishedTaskColumns }),
    target({ values: values({ folds: A, rate: B }) }),
  );
  expect(keptOf(plan)).toEqual(["start 1", "split 1", "work 100000"]);
});
