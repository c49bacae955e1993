/** Attempts, failures that do not stop the rest, tasks that are taken over, shuffled order, and what all that costs. */
import { describe, expect, test } from "vitest";
import { flowOf, type ShortStep } from "../../../../../test/kit/flow-of.ts";
import { checkGraph } from "../../graph/check-graph.ts";
import type { TaskPath } from "../../ids/task-path.ts";
import type { TaskSequence } from "../../metadata/metadata-store.ts";
import { type FinishedTask, type ReadyTask, Scheduler, type SchedulerOptions, type TaskOutcome } from "./scheduler.ts";
import { moveTask, type TaskState } from "./task-state.ts";

type Steps = Readonly<Record<string, ShortStep>>;

function stage(steps: Steps, options: SchedulerOptions = {}) {
  const numbers = { next: 1, taken: 0 };
  const scheduler = new Scheduler(
    checkGraph(flowOf(steps)),
    (count) => {
      numbers.taken += count;
      numbers.next += count;
      return (numbers.next - count) as TaskSequence;
    },
    options,
  );
  const drain = (outcome: (task: ReadyTask) => TaskOutcome | "fails" = () => ({})): readonly string[] => {
    const ran: string[] = [];
    for (;;) {
      const tasks = [...scheduler.readySteps()].flatMap(({ step }) => scheduler.take(step, 1_000));
      if (tasks.length === 0) return ran;
      for (const task of tasks) {
        ran.push(`${task.step}/${task.path}`);
        const result = outcome(task);
        if (result === "fails") scheduler.failed(task.sequence);
        else scheduler.succeeded(task.sequence, result);
      }
    }
  };
  const one = (step: string): ReadyTask => scheduler.take(step, 1)[0]!;
  const counts = (step: string) => scheduler.progress.find((each) => each.step === step)!;
  return { scheduler, drain, one, counts, numbers };
}

const LINE: Steps = { start: { next: "work" }, work: { next: "end" }, end: {} };
const FAN: Steps = {
  start: { foreach: "items", next: "work" },
  work: { next: "gather" },
  gather: { join: true, next: "end" },
  end: {},
};

describe("attempts", () => {
  test("a retry is the same task with a number of its own, and waits until it is queued again", () => {
    const { scheduler, one, counts, drain } = stage(FAN);
    scheduler.begin();
    const start = one("start");
    scheduler.succeeded(start.sequence, { fanOut: 2 });
    const [first, second] = scheduler.take("work", 2) as [ReadyTask, ReadyTask];
    scheduler.succeeded(second.sequence, {});
    const again = scheduler.retry(first.sequence);
    expect(again).toEqual({ ...first, sequence: again.sequence, attempt: 2 });
    expect([first.attempt, again.sequence]).toEqual([1, 4]);
    expect([scheduler.isIdle, [...scheduler.readySteps()]]).toEqual([false, []]);
    expect(counts("work")).toMatchObject({ total: 2, running: 0, waiting: 1, succeeded: 1, failed: 0 });
    expect(() => scheduler.succeeded(first.sequence, {})).toThrow(expect.objectContaining({ code: "FLOW_INTERNAL" }));
    scheduler.requeue(again.sequence);
    expect(scheduler.take("work", 5)).toEqual([again]);
    const third = scheduler.retry(again.sequence);
    expect(third.attempt).toBe(3);
    scheduler.requeue(third.sequence);
    expect(drain()).toEqual(["work/0", "gather/", "end/"]);
    expect(counts("work")).toMatchObject({ total: 2, running: 0, waiting: 0, succeeded: 2, failed: 0 });
  });

  test("a join gets the attempt that succeeded", () => {
    const { scheduler, one } = stage(FAN);
    scheduler.begin();
    scheduler.succeeded(one("start").sequence, { fanOut: 1 });
    const again = scheduler.retry(one("work").sequence);
    scheduler.requeue(again.sequence);
    scheduler.succeeded(one("work").sequence, {});
    expect(one("gather").inputs).toEqual([{ from: "work", task: again.sequence }]);
  });

  test("count on from earlier executions of the run", () => {
    const { scheduler, one } = stage(LINE, {
      attemptsBefore: (step: string, _: TaskPath) => (step === "work" ? 2 : 0),
    });
    scheduler.begin();
    scheduler.succeeded(one("start").sequence, {});
    expect(one("work").attempt).toBe(3);
  });

  test("behind a task that was caught or skipped the run goes on, and both are counted", () => {
    const { scheduler, one, counts, drain } = stage(LINE);
    scheduler.begin();
    scheduler.skipped(one("start").sequence, {});
    scheduler.caught(one("work").sequence, {});
    expect(drain()).toEqual(["end/"]);
    expect([counts("start"), counts("work")]).toMatchObject([
      { skipped: 1, succeeded: 0, failed: 0 },
      { caught: 1, succeeded: 0, failed: 0 },
    ]);
    expect(scheduler.endTask).toBeDefined();
  });

  test("a stop drops what waits and tells it; what is queued again later is ignored", () => {
    const { scheduler, one, counts } = stage(LINE);
    scheduler.begin();
    const again = scheduler.retry(one("start").sequence);
    expect(scheduler.stop()).toEqual([again]);
    scheduler.requeue(again.sequence);
    expect(scheduler.isIdle).toBe(true);
    expect(counts("start")).toMatchObject({ total: 1, waiting: 0, cancelled: 1 });
  });

  test("states can be left only as the table says", () => {
    const ends: readonly TaskState[] = ["succeeded", "failed", "caught", "cancelled", "lost", "skipped"];
    for (const end of ends) {
      expect(moveTask("running", end)).toBe(end);
      for (const state of ["queued", "running", "waiting", ...ends] as const)
        expect(() => moveTask(end, state)).toThrow(expect.objectContaining({ code: "FLOW_INTERNAL" }));
    }
    expect(moveTask(moveTask("waiting", "queued"), "running")).toBe("running");
    expect(() => moveTask("waiting", "running")).toThrow(expect.objectContaining({ code: "FLOW_INTERNAL" }));
    expect(() => moveTask("queued", "succeeded")).toThrow(expect.objectContaining({ code: "FLOW_INTERNAL" }));
  });
});

test("when a task fails and nobody stops, all that does not wait for it still runs", () => {
  const { scheduler, drain, counts } = stage({
    start: { next: ["split", "left"] },
    split: { foreach: "items", next: "work" },
    work: { next: "gather" },
    gather: { join: true, next: "meet" },
    left: { next: "after" },
    after: { next: "meet" },
    meet: { join: true, next: "end" },
    end: {},
  });
  scheduler.begin();
  const ran = drain(({ step, path }) => (step === "split" ? { fanOut: 4 } : path === "1" ? "fails" : {}));
  expect(ran.toSorted()).toEqual(
    ["start/", "split/", "left/", "after/", "work/0", "work/1", "work/2", "work/3"].toSorted(),
  );
  expect([scheduler.isIdle, scheduler.endTask]).toEqual([true, undefined]);
  expect(counts("work")).toMatchObject({ total: 4, succeeded: 3, failed: 1, running: 0 });
});

/** Every task of some steps is finished, with the numbers that `sequence` gives. */
function finishedOf(
  get: (step: string, path: TaskPath) => Omit<FinishedTask, "status" | "sequence"> | TaskState | undefined,
  { count, fanOut = 0 }: { readonly count: number; readonly fanOut?: number },
) {
  let asked = 0;
  let sequence = 1_000_000;
  return {
    count,
    fanOut,
    get asked() {
      return asked;
    },
    get(step: string, path: TaskPath): FinishedTask | undefined {
      asked++;
      const found = get(step, path);
      if (found === undefined) return undefined;
      const facts = typeof found === "string" ? { status: found } : { status: "succeeded" as const, ...found };
      return { sequence: sequence++ as TaskSequence, ...facts };
    },
  };
}

describe("tasks that are taken over", () => {
  test("are never ready, keep their numbers, and what is left runs on them", () => {
    const finished = finishedOf(
      (step, path) => (step === "start" ? { fanOut: 5 } : step === "work" && "024".includes(path) ? {} : undefined),
      { count: 4, fanOut: 5 },
    );
    const { scheduler, counts, numbers } = stage(FAN, { finished });
    expect(scheduler.numbersFor(1, 0)).toBeGreaterThanOrEqual(2);
    scheduler.begin();
    expect(numbers.taken).toBe(2);
    const ready = scheduler.take("work", 10);
    expect(ready.map(({ path, inherits, item }) => [path, inherits, item])).toEqual([
      ["1", 1_000_000, { split: 1_000_000, index: 1 }],
      ["3", 1_000_000, { split: 1_000_000, index: 3 }],
    ]);
    for (const { sequence } of ready) scheduler.succeeded(sequence, {});
    expect(scheduler.take("gather", 1)[0]!.inputs!.map(({ task }) => task)).toEqual([
      1_000_001,
      ready[0]!.sequence,
      1_000_002,
      ready[1]!.sequence,
      1_000_003,
    ]);
    expect(counts("work")).toMatchObject({ total: 5, succeeded: 5, adopted: 3 });
  });

  test("leave as many to run as was announced at most, and few more are announced", () => {
    const finished = finishedOf(
      (step, path) =>
        step === "start" ? { fanOut: 1_000 } : step === "work" && Number(path) % 2 === 0 ? {} : undefined,
      { count: 501, fanOut: 1_000 },
    );
    const { scheduler, numbers } = stage(FAN, { finished });
    const announced = scheduler.numbersFor(1, 0);
    scheduler.begin();
    expect(numbers.taken).toBe(500);
    expect(announced).toBeGreaterThanOrEqual(numbers.taken);
    expect(announced).toBeLessThan(2_000);
    expect(scheduler.numbersFor(1, 0)).toBeLessThan(10);
  });

  test("count as what they were, and those that did not end well run again", () => {
    const states: Readonly<Record<string, TaskState>> = {
      "0": "succeeded",
      "1": "caught",
      "2": "skipped",
      "3": "failed",
      "4": "cancelled",
      "5": "lost",
    };
    const finished = finishedOf((step, path) => (step === "start" ? { fanOut: 6 } : states[path]), {
      count: 7,
      fanOut: 6,
    });
    const { scheduler, counts } = stage(FAN, { finished });
    scheduler.begin();
    expect(scheduler.take("work", 10).map(({ path }) => path)).toEqual(["3", "4", "5"]);
    expect(counts("work")).toMatchObject({ total: 6, succeeded: 1, caught: 1, skipped: 1, adopted: 3, failed: 0 });
  });

  test("run again when they do not say what they led to", () => {
    const forgetful = stage(FAN, { finished: finishedOf(() => ({}), { count: 9 }) });
    forgetful.scheduler.begin();
    expect([...forgetful.scheduler.readySteps()]).toEqual([{ step: "start", count: 1 }]);
    const choice: Steps = { start: { next: { a: "end", b: "more" } }, more: { next: "end" }, end: {} };
    const renamed = stage(choice, { finished: finishedOf(() => ({ choice: "gone" }), { count: 9 }) });
    renamed.scheduler.begin();
    expect([...renamed.scheduler.readySteps()]).toEqual([{ step: "start", count: 1 }]);
  });

  test("may be all of a run", () => {
    const finished = finishedOf((step) => (step === "start" ? { fanOut: 2 } : {}), { count: 5, fanOut: 2 });
    const { scheduler, numbers } = stage(FAN, { finished });
    scheduler.begin();
    expect([scheduler.isIdle, scheduler.endTask, numbers.taken]).toEqual([true, 1_000_004, 0]);
  });

  test("are asked for once each, whether they lie in a line, in rounds or side by side", () => {
    const length = 20_000;
    const line = Object.fromEntries(
      Array.from({ length }, (_, index): [string, ShortStep] => [`step${index}`, { next: `step${index + 1}` }]),
    );
    const inLine = finishedOf(() => ({}), { count: length + 1 });
    const ofLine = stage({ ...line, [`step${length}`]: {} }, { finished: inLine });
    ofLine.scheduler.begin();
    expect([ofLine.scheduler.isIdle, inLine.asked]).toEqual([true, length + 1]);

    const loop: Steps = { start: { next: "refine" }, refine: { next: { more: "refine", done: "end" } }, end: {} };
    const rounds = finishedOf(
      (step, path) => (step === "end" ? undefined : { choice: path === "~999" ? "done" : "more" }),
      {
        count: 1_001,
      },
    );
    const ofLoop = stage(loop, { finished: rounds });
    ofLoop.scheduler.begin();
    expect([[...ofLoop.scheduler.readySteps()], rounds.asked]).toEqual([[{ step: "end", count: 1 }], 1_001]);

    const wide = finishedOf((step) => (step === "start" ? { fanOut: 100_000 } : step === "work" ? {} : undefined), {
      count: 100_001,
      fanOut: 100_000,
    });
    const ofFan = stage(FAN, { finished: wide });
    ofFan.scheduler.begin();
    expect(ofFan.scheduler.take("gather", 1)[0]!.inputs).toHaveLength(100_000);
    // The joins behind are not asked for: all that is known was taken over.
    expect([wide.asked, ofFan.numbers.taken]).toEqual([100_001, 1]);
  });
});

test("a dead way of any length needs no depth", () => {
  const length = 20_000;
  const steps: Record<string, ShortStep> = { start: { next: { go: "step0", skip: "end" } } };
  for (let index = 0; index < length; index++)
    steps[`step${index}`] = { next: index === length - 1 ? "end" : `step${index + 1}` };
  const { scheduler, drain } = stage({ ...steps, end: {} });
  scheduler.begin();
  expect(drain(({ step }) => (step === "start" ? { choice: "skip" } : {}))).toEqual(["start/", "end/"]);
});

describe("shuffled order", () => {
  /** Not random at all: always the last of those that are left. */
  const last = (): number => 0.999_999;

  test("independent steps and siblings start in another order, each once, and joins keep theirs", () => {
    const steps: Steps = {
      start: { next: ["a", "b", "c"] },
      a: { next: "meet" },
      b: { next: "meet" },
      c: { next: "meet" },
      meet: { join: true, foreach: "items", next: "work" },
      work: { next: "gather" },
      gather: { join: true, next: "end" },
      end: {},
    };
    const { scheduler } = stage(steps, { random: last });
    scheduler.begin();
    scheduler.succeeded(scheduler.take("start", 1)[0]!.sequence, {});
    expect([...scheduler.readySteps()].map(({ step }) => step)).toEqual(["c", "a", "b"]);
    for (const step of ["c", "a", "b"]) scheduler.succeeded(scheduler.take(step, 1)[0]!.sequence, {});
    const meet = scheduler.take("meet", 1)[0]!;
    expect(meet.inputs!.map(({ from }) => from)).toEqual(["a", "b", "c"]);
    scheduler.succeeded(meet.sequence, { fanOut: 1_000 });
    const tasks = Array.from({ length: 40 }, () => scheduler.take("work", 25)).flat();
    expect(tasks.slice(0, 3).map(({ path }) => path)).toEqual(["999", "0", "1"]);
    expect(new Set(tasks.map(({ path }) => path)).size).toBe(1_000);
    for (const { path, sequence, item } of tasks)
      expect([item!.index, sequence - tasks[1]!.sequence]).toEqual([+path, +path]);
    for (const { sequence } of tasks) scheduler.succeeded(sequence, {});
    const order = scheduler.take("gather", 1)[0]!.inputs!.map(({ task }) => task - tasks[1]!.sequence);
    expect(order).toEqual(Array.from({ length: 1_000 }, (_, index) => index));
  });

  test("tasks that became ready one after another are mixed as well", () => {
    const { scheduler } = stage({ ...FAN, work: { next: "more" }, more: { next: "gather" } }, { random: last });
    scheduler.begin();
    scheduler.succeeded(scheduler.take("start", 1)[0]!.sequence, { fanOut: 4 });
    for (const { sequence } of scheduler.take("work", 4).toSorted((a, b) => a.sequence - b.sequence))
      scheduler.succeeded(sequence, {});
    expect(scheduler.take("more", 2).map(({ path }) => path)).toEqual(["3", "0"]);
  });
});
