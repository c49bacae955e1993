/** Random flows on the scheduler: what runs, with what, and what is taken over, against a reference without a scheduler. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { flowOf } from "../../../../../test/kit/flow-of.ts";
import {
  type ExpectedTask,
  type Part,
  type RandomFlow,
  randomPart,
  writeFlow,
} from "../../../../../test/kit/random-flow.ts";
import { checkGraph, graphProblems } from "../../graph/check-graph.ts";
import type { TaskSequence } from "../../metadata/metadata-store.ts";
import {
  type FinishedTask,
  type FinishedTasks,
  type ReadyTask,
  Scheduler,
  type SchedulerOptions,
} from "./scheduler.ts";

interface Played {
  /** What each task was started with, by name. */
  readonly started: ReadonlyMap<string, ExpectedTask>;
  /** Tasks in the order in which they ended, with what they reported. */
  readonly ended: readonly { readonly name: string; readonly finished: FinishedTask }[];
  readonly scheduler: Scheduler;
}

const nameOf = ({ step, path }: ReadyTask): string => `${step}/${path}`;

/**
 * Runs a flow to its end. Up to `slots` tasks run at once, and end in the order that `pick` chooses. Checks that the
 * scheduler never asks for more numbers than it announced.
 */
function play(
  flow: RandomFlow,
  pick: (count: number) => number,
  options: SchedulerOptions = {},
  firstNumber = 1,
): Played {
  let next = firstNumber;
  let allowed = 0;
  const scheduler = new Scheduler(
    checkGraph(flowOf(flow.steps)),
    (count) => {
      allowed -= count;
      expect(allowed).toBeGreaterThanOrEqual(0);
      next += count;
      return (next - count) as TaskSequence;
    },
    options,
  );
  const names = new Map<TaskSequence, string>();
  for (const [name, { sequence }] of adopted(options)) names.set(sequence, name);
  const started = new Map<string, ExpectedTask>();
  const ended: { name: string; finished: FinishedTask }[] = [];
  const running: ReadyTask[] = [];
  const slots = 1 + pick(6);
  allowed = scheduler.numbersFor(1, 0);
  scheduler.begin();
  while (!scheduler.isIdle) {
    for (const { step } of scheduler.readySteps()) {
      for (const task of scheduler.take(step, Math.max(0, slots - running.length))) {
        expect(started.has(nameOf(task))).toBe(false);
        names.set(task.sequence, nameOf(task));
        started.set(nameOf(task), describeTask(task, names));
        running.push(task);
      }
    }
    const [task] = running.splice(pick(running.length), 1);
    const outcome = flow.outcome(task!.step, task!.path);
    allowed = scheduler.numbersFor(1, outcome.fanOut ?? 0);
    scheduler.succeeded(task!.sequence, outcome);
    ended.push({ name: nameOf(task!), finished: { sequence: task!.sequence, status: "succeeded", ...outcome } });
  }
  return { started, ended, scheduler };
}

const adopted = (options: SchedulerOptions): Iterable<readonly [string, FinishedTask]> =>
  (options.finished as TestedFinished | undefined)?.tasks ?? [];

class TestedFinished implements FinishedTasks {
  readonly tasks: ReadonlyMap<string, FinishedTask>;
  readonly count: number;
  readonly fanOut: number;

  constructor(ended: Played["ended"]) {
    this.tasks = new Map(ended.map(({ name, finished }) => [name, finished]));
    this.count = ended.length;
    this.fanOut = ended.reduce((sum, { finished }) => sum + (finished.fanOut ?? 0), 0);
  }

  get(step: string, path: string): FinishedTask | undefined {
    return this.tasks.get(`${step}/${path}`);
  }
}

function describeTask(task: ReadyTask, names: ReadonlyMap<TaskSequence, string>): ExpectedTask {
  const { inherits, item, inputs, before } = task;
  return {
    ...(inherits === undefined ? {} : { inherits: names.get(inherits)! }),
    ...(item === undefined ? {} : { item: { split: names.get(item.split)!, index: item.index } }),
    ...(inputs === undefined ? {} : { inputs: inputs.map(({ task: input }) => names.get(input)!) }),
    ...(before === undefined ? {} : { before: names.get(before)! }),
  };
}

const sorted = (tasks: ReadonlyMap<string, ExpectedTask>) => [...tasks].sort(([a], [b]) => (a < b ? -1 : 1));
const picks = fc.infiniteStream(fc.nat(1_000_000));
const picker = (stream: fc.Stream<number>) => (count: number) => (count < 2 ? 0 : stream.next().value! % count);

/** Flows with more tasks say nothing that smaller ones do not. */
const isHandy = (flow: RandomFlow): boolean => flow.expected.size <= 400;

describe("every nesting of branches, foreachs, choices and loops", () => {
  test("is accepted, and runs the tasks that its structure says, each once and with the right inputs", () => {
    const seen = { loops: 0, nested: 0, deep: 0 };
    fc.assert(
      fc.property(randomPart(), picks, fc.boolean(), (part: Part, stream, isShuffled) => {
        const flow = writeFlow(part);
        fc.pre(isHandy(flow));
        expect(graphProblems(flowOf(flow.steps))).toEqual([]);
        const pick = picker(stream);
        const { started, ended, scheduler } = play(flow, pick, isShuffled ? { random: () => pick(1_000) / 1_000 } : {});
        expect(sorted(started)).toEqual(sorted(flow.expected));
        expect(ended.at(-1)!.name).toBe("end/");
        expect(scheduler.endTask).toBe(ended.at(-1)!.finished.sequence);
        for (const name of flow.expected.keys()) {
          if (name.includes("~")) seen.loops++;
          if (/~\d+~/.test(name)) seen.nested++;
          if (/~\d+\.\d+~|\d\.\d+\.\d/.test(name)) seen.deep++;
        }
      }),
      { numRuns: 400 },
    );
    expect(Math.min(seen.loops, seen.nested, seen.deep)).toBeGreaterThan(20);
  });

  test("goes on from any tasks that finished before, and ends as it would have", () => {
    fc.assert(
      fc.property(randomPart(), picks, fc.nat(), (part: Part, stream, cut) => {
        const flow = writeFlow(part);
        fc.pre(isHandy(flow));
        const pick = picker(stream);
        const whole = play(flow, pick);
        const kept = whole.ended.slice(0, cut % (whole.ended.length + 1));
        const finished = new TestedFinished(kept);
        const { started, scheduler } = play(flow, pick, { finished }, 1_000_000);
        const rest = new Map([...flow.expected].filter(([name]) => !finished.tasks.has(name)));
        expect(sorted(started)).toEqual(sorted(rest));
        expect(scheduler.endTask).toBeDefined();
        const counted = scheduler.progress.reduce((sum, { adopted: count }) => sum + count, 0);
        expect(counted).toBe(kept.length);
      }),
      { numRuns: 250 },
    );
  });
});
