import { describe, expect, test } from "vitest";
import { flowOf, type ShortStep } from "../../../../../test/kit/flow-of.ts";
import { checkGraph } from "../../graph/check-graph.ts";
import type { TaskSequence } from "../../metadata/metadata-store.ts";
import { MAX_ROUNDS, type ReadyTask, Scheduler, type SchedulerOptions, type TaskOutcome } from "./scheduler.ts";

type Steps = Readonly<Record<string, ShortStep>>;

function schedulerOf(steps: Steps, options: SchedulerOptions = {}): Scheduler {
  let next = 1;
  return new Scheduler(
    checkGraph(flowOf(steps)),
    (count) => {
      next += count;
      return (next - count) as TaskSequence;
    },
    options,
  );
}

/** Runs everything, one task after another. */
function play(scheduler: Scheduler, outcome: (task: ReadyTask) => TaskOutcome): readonly ReadyTask[] {
  const ran: ReadyTask[] = [];
  scheduler.begin();
  while (!scheduler.isIdle) {
    const { step } = [...scheduler.readySteps()][0]!;
    for (const task of scheduler.take(step, 10)) {
      ran.push(task);
      scheduler.succeeded(task.sequence, outcome(task));
    }
  }
  return ran;
}

const names = (tasks: readonly ReadyTask[]): readonly string[] => tasks.map(({ step, path }) => `${step}/${path}`);
const round = (path: string): number => Number(/~(\d+)$/.exec(path)?.[1]);

const ITSELF: Steps = { start: { next: "refine" }, refine: { next: { more: "refine", done: "end" } }, end: {} };

describe("a loop", () => {
  test("has a round for each time that it is repeated, and each begins with what the one before left", () => {
    const scheduler = schedulerOf(ITSELF);
    const ran = play(scheduler, ({ step, path }) =>
      step === "refine" ? { choice: round(path) < 2 ? "more" : "done" } : {},
    );
    expect(names(ran)).toEqual(["start/", "refine/~0", "refine/~1", "refine/~2", "end/"]);
    expect(ran.map(({ inherits }) => inherits)).toEqual([
      undefined,
      ...ran.slice(0, 4).map(({ sequence }) => sequence),
    ]);
    expect(scheduler.endTask).toBe(ran.at(-1)!.sequence);
    expect(scheduler.progress.find(({ step }) => step === "refine")).toMatchObject({ total: 3, succeeded: 3 });
  });

  test("that begins where two choices lead back counts the rounds of both", () => {
    const ran = play(
      schedulerOf({
        start: { next: "work" },
        work: { next: { again: "work", on: "check" } },
        check: { next: { again: "work", done: "end" } },
        end: {},
      }),
      ({ step, path }) =>
        step === "work"
          ? { choice: round(path) === 0 ? "again" : "on" }
          : { choice: step === "check" && round(path) === 1 ? "again" : "done" },
    );
    expect(names(ran)).toEqual(["start/", "work/~0", "work/~1", "check/~1", "work/~2", "check/~2", "end/"]);
  });

  test("of an item gets the item in every round, and its join waits for all items and their rounds", () => {
    const ran = play(
      schedulerOf({
        start: { foreach: "items", next: "refine" },
        refine: { next: { more: "refine", done: "all" }, arity: 1 },
        all: { join: true, next: "end" },
        end: {},
      }),
      ({ step, item, path }) =>
        step === "start" ? { fanOut: 3 } : { choice: round(path) < (item?.index ?? 0) ? "more" : "done" },
    );
    const refined = ran.filter(({ step }) => step === "refine");
    expect(names(refined).toSorted()).toEqual(
      ["0~0", "1~0", "1~1", "2~0", "2~1", "2~2"].map((path) => `refine/${path}`),
    );
    expect(refined.every(({ item, path }) => item!.index === Number(path[0]) && item!.split === ran[0]!.sequence)).toBe(
      true,
    );
    const bySequence = new Map(ran.map((task) => [task.sequence, task.path]));
    const all = ran.find(({ step }) => step === "all")!;
    expect(all.inputs!.map(({ task }) => bySequence.get(task))).toEqual(["0~0", "1~1", "2~2"]);
    expect(all.before).toBe(ran[0]!.sequence);
  });

  test("is dead with all of its exits when it is never entered, so a join beside it does not wait", () => {
    const steps: Steps = {
      start: { next: ["side", "decide"] },
      side: { next: "meet" },
      decide: { next: { go: "loop", skip: "meet" } },
      loop: { next: { more: "loop", one: "meet", two: "other" } },
      other: { next: "meet" },
      meet: { join: true, next: "end" },
      end: {},
    };
    const skipped = play(schedulerOf(steps), ({ step }) => (step === "decide" ? { choice: "skip" } : {}));
    expect(names(skipped)).toEqual(["start/", "side/", "decide/", "meet/", "end/"]);
    expect(skipped[3]!.inputs!.map(({ from }) => from)).toEqual(["side", "decide"]);
    const left = play(schedulerOf(steps), ({ step, path }) =>
      step === "decide" ? { choice: "go" } : step === "loop" ? { choice: path === "~2" ? "two" : "more" } : {},
    );
    expect(left.find(({ step }) => step === "meet")!.inputs!.map(({ from }) => from)).toEqual(["side", "other"]);
  });

  test("shows a join behind it the last round of what splits it", () => {
    const ran = play(
      schedulerOf({
        start: { next: "try" },
        try: { next: { good: "keep", poor: "judge" } },
        judge: { next: { again: "try", bad: "drop" } },
        keep: { next: "meet" },
        drop: { next: "meet" },
        meet: { join: true, next: "end" },
        end: {},
      }),
      ({ step, path }) =>
        step === "try" ? { choice: "poor" } : step === "judge" ? { choice: path === "~1" ? "bad" : "again" } : {},
    );
    const meet = ran.find(({ step }) => step === "meet")!;
    expect(ran.find(({ sequence }) => sequence === meet.before)).toMatchObject({ step: "try", path: "~1" });
    expect(meet.inputs!.map(({ from }) => from)).toEqual(["drop"]);
  });

  test("has no more rounds than allowed: the choice that asks for one more is refused before it counts", () => {
    const scheduler = schedulerOf(ITSELF, { maxRounds: 3 });
    scheduler.begin();
    scheduler.succeeded(scheduler.take("start", 1)[0]!.sequence, {});
    for (let number = 0; number < 2; number++) {
      const { sequence } = scheduler.take("refine", 1)[0]!;
      expect(scheduler.refusal(sequence, { choice: "more" })).toBeUndefined();
      scheduler.succeeded(sequence, { choice: "more" });
    }
    const last = scheduler.take("refine", 1)[0]!;
    expect(last.path).toBe("~2");
    expect(scheduler.refusal(last.sequence, { choice: "more" })).toMatchObject({
      code: "FLOW_RUNNER_TOO_MANY_ROUNDS",
      message:
        'Cannot begin another round of the loop that starts with "refine": "refine" chose "more" after 3 rounds, and no loop may have more',
      hint: 'Let "refine" choose a way out of the loop in time, or allow more rounds with --max-rounds',
    });
    expect(() => scheduler.succeeded(last.sequence, { choice: "more" })).toThrow(
      expect.objectContaining({ code: "FLOW_RUNNER_TOO_MANY_ROUNDS" }),
    );
    expect(scheduler.refusal(last.sequence, { choice: "done" })).toBeUndefined();
    scheduler.failed(last.sequence);
    expect([scheduler.isIdle, scheduler.endTask]).toEqual([true, undefined]);
  });

  test("inside of another begins to count anew in each round of that, and both are bounded", () => {
    const nested: Steps = {
      start: { next: "outer" },
      outer: { next: "inner" },
      inner: { next: { same: "inner", next: "outer", done: "end" } },
      end: {},
    };
    const ran = play(schedulerOf(nested, { maxRounds: 2 }), ({ path }) => ({
      choice: path.endsWith("~0") ? "same" : path === "~0~1" ? "next" : "done",
    }));
    expect(names(ran)).toEqual([
      "start/",
      "outer/~0",
      "inner/~0~0",
      "inner/~0~1",
      "outer/~1",
      "inner/~1~0",
      "inner/~1~1",
      "end/",
    ]);
    const scheduler = schedulerOf(nested, { maxRounds: 2 });
    expect(() => play(scheduler, ({ step }) => (step === "inner" ? { choice: "next" } : {}))).toThrow(
      expect.objectContaining({
        code: "FLOW_RUNNER_TOO_MANY_ROUNDS",
        context: expect.objectContaining({ header: "outer" }),
      }),
    );
  });

  test("may have a thousand rounds unless told otherwise", () => {
    const ran = play(schedulerOf(ITSELF), ({ step, path }) =>
      step === "refine" ? { choice: round(path) === MAX_ROUNDS - 1 ? "done" : "more" } : {},
    );
    expect(ran.length).toBe(MAX_ROUNDS + 2);
    expect(() => play(schedulerOf(ITSELF), () => ({ choice: "more" }))).toThrow("after 1000 rounds");
  });
});
