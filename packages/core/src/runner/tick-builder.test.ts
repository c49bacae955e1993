import { describe, expect, test } from "vitest";
import type { NewTask, RunSequence, TaskSequence } from "../metadata/metadata-store.ts";
import type { TaskResult } from "./protocol.ts";
import { SHOWN_AFTER_MS, SHOWN_TOGETHER_AFTER_MS, TickBuilder } from "./tick-builder.ts";

const at = (ms: number): Date => new Date(1_700_000_000_000 + ms);
const task = (sequence: number, startedMs: number): NewTask => ({
  sequence: sequence as TaskSequence,
  run: 1 as RunSequence,
  step: "work",
  path: "",
  attempt: 1,
  startedAt: at(startedMs),
});
const result = (sequence: number): TaskResult => ({
  sequence: sequence as TaskSequence,
  attempt: 1,
  startedAt: at(0),
  durationMs: 1,
  outcome: { kind: "succeeded", artifacts: [], pages: [] },
  blobs: [],
  reads: [],
  valueReads: [],
  logs: [],
  liveChunks: 0,
});

describe("tick", () => {
  test("a short task is written with its end, once", () => {
    const builder = new TickBuilder();
    builder.started(task(1, 0), true);
    expect(builder.take(at(10))).toBeUndefined();
    builder.finished(result(1), at(20));
    const tick = builder.take(at(20))!;
    expect(tick.started.map((row) => row.sequence)).toEqual([1]);
    expect(tick.finished.map((row) => row.sequence)).toEqual([1]);
    expect(builder.isEmpty).toBe(true);
  });

  test("a task that takes long is shown as running, and its end does not write it again", () => {
    const builder = new TickBuilder();
    builder.started(task(1, 0), true);
    builder.started(task(2, 60), true);
    expect(builder.take(at(SHOWN_AFTER_MS))!.started.map((row) => row.sequence)).toEqual([1]);
    expect(builder.isEmpty).toBe(false);
    builder.finished(result(1), at(500));
    expect(builder.take(at(100))!.started).toEqual([]);
  });

  test("tasks that were sent together are shown later, and do not keep back one that was sent alone", () => {
    const builder = new TickBuilder();
    builder.started(task(1, 0), false);
    builder.started(task(2, 1), true);
    expect(builder.take(at(SHOWN_AFTER_MS + 1))!.started.map((row) => row.sequence)).toEqual([2]);
    expect(builder.take(at(SHOWN_TOGETHER_AFTER_MS - 1))).toBeUndefined();
    expect(builder.take(at(SHOWN_TOGETHER_AFTER_MS))!.started.map((row) => row.sequence)).toEqual([1]);
    expect(builder.isEmpty).toBe(true);
  });

  test("output of a task brings its row along, since it refers to it", () => {
    const builder = new TickBuilder();
    builder.started(task(1, 0), true);
    builder.logged({ task: 1 as TaskSequence, attempt: 1, stream: "stdout", at: at(5), text: "hello" });
    expect(builder.take(at(5))!.started.map((row) => row.sequence)).toEqual([1]);
  });
});
