/**
 * The driver between a real store and an executor that the test holds in its hand: what is committed when, what happens
 * when a commit fails, and what becomes of tasks that a message gave back.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { deleteRuns } from "../../packages/core/src/admin/gc/delete-runs.ts";
import type { Digest, NewBlob } from "../../packages/core/src/artifact/artifact.ts";
import { FlowError } from "../../packages/core/src/errors/flow-error.ts";
import type { RunEvent } from "../../packages/core/src/events/run-event.ts";
import { checkGraph } from "../../packages/core/src/graph/check-graph.ts";
import { newRunId } from "../../packages/core/src/ids/run-id.ts";
import type { MetadataStore, Tick } from "../../packages/core/src/metadata/metadata-store.ts";
import { openSqliteDeletion } from "../../packages/core/src/metadata/sqlite/deletion/open-deletion.ts";
import { openSqliteMetadata } from "../../packages/core/src/metadata/sqlite/sqlite-metadata.ts";
import type { Executor } from "../../packages/core/src/runner/executor.ts";
import type { Batch, TaskResult } from "../../packages/core/src/runner/protocol.ts";
import { driveRun } from "../../packages/core/src/runner/run-driver.ts";
import { finished, newRun, started, tick } from "../conformance/metadata-store/records.ts";
import { flowOf } from "../kit/flow-of.ts";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-driver-"));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const WIDE = checkGraph(
  flowOf({
    start: { next: "work", foreach: "items" },
    work: { next: "end", arity: 1 },
    end: { join: true },
  }),
);

/** Answers every batch a little later; `answer` says with how many of its tasks. */
function executor(width: number, answer: (batch: Batch) => number = (batch) => batch.tasks.length) {
  const batches: Batch[] = [];
  const seam: Executor = {
    slots: 2,
    submit(batch) {
      batches.push(batch);
      // Batches end at different times, so that some are always under way.
      const delayMs = batches.length % 3 === 0 ? 25 : 1;
      const results = new Promise<void>((resolve) => setTimeout(resolve, delayMs)).then(() =>
        batch.tasks.slice(0, answer(batch)).map((task): TaskResult => {
          const fanOut = task.step === "start" ? { fanOut: width } : {};
          const outcome = { kind: "succeeded" as const, artifacts: [], pages: [], ...fanOut };
          const { sequence, attempt } = task;
          return {
            sequence,
            attempt,
            startedAt: new Date(),
            durationMs: 0.1,
            outcome,
            blobs: [],
            reads: [],
            valueReads: [],
            logs: [],
            liveChunks: 0,
          };
        }),
      );
      return { results, abort() {}, setWaiting() {}, end() {} };
    },
    onMessage() {},
    cancel() {},
    async close() {},
  };
  return { seam, batches };
}

async function opened(name: string, commitTick = (store: MetadataStore, tick: Tick) => store.commitTick(tick)) {
  const store = await openSqliteMetadata(path.join(folder, `${name}.db`));
  const row = await store.createRun({
    id: newRunId(),
    flow: { project: "test", name: "Test" },
    formerly: [],
    createdAt: new Date(),
    tags: [],
    systemTags: [],
    parameters: {},
    secretParameters: [],
    values: [],
    blobs: [],
    upstreams: [],
    environment: { millrace: "0", node: "0", os: "", arch: "", host: "", actor: "", cwd: "", command: [] },
    actor: "test",
    host: "test",
    execution: { runner: { host: "test", pid: 1 }, command: [] },
  });
  const faulty = new Proxy(store, {
    get(target, key) {
      if (key === "commitTick") return (tick: Tick) => commitTick(target, tick);
      const member = Reflect.get(target, key) as unknown;
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  const run = {
    id: row.id,
    sequence: row.sequence,
    name: "Test/1",
    flow: "Test",
    project: "test",
    tags: [],
    createdAt: row.createdAt,
    secrets: {},
  };
  return { store, metadata: faulty, run };
}

test("tasks that a message gave back run later, each once, and are recorded once", async () => {
  const { store, metadata, run } = await opened("given-back");
  const { seam, batches } = executor(300, (batch) => Math.ceil(batch.tasks.length / 2));
  const started: string[] = [];
  const end = await driveRun({
    graph: WIDE,
    run,
    execution: 1,
    metadata,
    executor: seam,
    emit: (event) => {
      if (event.kind === "task.started") started.push(event.task);
    },
  });
  expect(end.status).toBe("succeeded");
  expect(Math.max(...batches.map((batch) => batch.tasks.length))).toBeGreaterThan(1);
  expect([started.length, new Set(started).size]).toEqual([302, 302]);
  const tasks = await store.tasks({ run: run.sequence });
  expect([tasks.length, new Set(tasks.map((task) => task.status))]).toEqual([302, new Set(["succeeded"])]);
  await store.close();
});

test("a commit that fails ends the drive with its error, and nothing is sent or written after it", async () => {
  let commits = 0;
  const { store, metadata, run } = await opened("failing", async (target, tick) => {
    commits++;
    if (commits === 4) throw new Error("the disk is gone");
    return await target.commitTick(tick);
  });
  const { seam, batches } = executor(5_000);
  await expect(driveRun({ graph: WIDE, run, execution: 1, metadata, executor: seam, emit: () => {} })).rejects.toThrow(
    "the disk is gone",
  );
  const [sent, written] = [batches.length, commits];
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect([batches.length, commits]).toEqual([sent, written]);
  await store.close();
});

test("a result that cannot be read ends the drive with what is wrong, and nothing is sent or written after it", async () => {
  const { store, metadata, run } = await opened("uncountable");
  const { seam, batches } = executor(50);
  const strange: Executor = {
    ...seam,
    submit: (batch) => {
      const { results, ...rest } = seam.submit(batch);
      if (batch.step.name !== "work") return { results, ...rest };
      const unreadable = results.then((list) => list.map((result) => ({ ...result, outcome: undefined as never })));
      return { results: unreadable, ...rest };
    },
  };
  await expect(
    driveRun({ graph: WIDE, run, execution: 1, metadata, executor: strange, emit: () => {} }),
  ).rejects.toThrow(TypeError);
  const sent = batches.length;
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(batches.length).toBe(sent);
  await store.close();
});

test("siblings are sent while results wait for their commit, and none after a failure", async () => {
  for (const fails of [false, true]) {
    const held = Promise.withResolvers<void>();
    const { store, metadata, run } = await opened(`held-commit-${fails}`, async (target, tick) => {
      if (tick.finished.some(({ sequence }) => sequence > 1)) await held.promise;
      return await target.commitTick(tick);
    });
    const { seam, batches } = executor(5_000);
    const returned = Promise.withResolvers<number>();
    let [works, back] = [0, 0];
    const failing: Executor = {
      ...seam,
      submit: (batch) => {
        const { results, ...rest } = seam.submit(batch);
        if (batch.step.name !== "work") return { results, ...rest };
        const isFirst = ++works === 1;
        // Commits are held until workers have all come back with nothing new to do, or with more than one message each.
        const answered = results.then((list) => {
          back++;
          if (back === 5) returned.resolve(works);
          if (!fails || !isFirst) return list;
          const error = { code: "FLOW_STEP_FAILED", name: "Error", message: "no" };
          return list.map((result) => ({ ...result, outcome: { kind: "failed" as const, error } }));
        });
        void answered.then(() => setTimeout(() => back === works && returned.resolve(works), 50));
        return { results: answered, ...rest };
      },
    };
    const ended = driveRun({ graph: WIDE, run, execution: 1, metadata, executor: failing, emit: () => {} });
    const sent = await returned.promise;
    held.resolve();
    expect((await ended).status).toBe(fails ? "failed" : "succeeded");
    if (fails) expect([sent, batches.length]).toEqual([2, 3]);
    else expect(sent).toBeGreaterThan(4);
    await store.close();
  }
});

/** Each task of "work" leaves a value that its row does not hold; counts what is under way. */
function leavingValues(seam: Executor) {
  const state = { underWay: 0, returned: 0 };
  const leaving: Executor = {
    ...seam,
    submit: (batch) => {
      const { results, ...rest } = seam.submit(batch);
      state.underWay++;
      const left = results.then((list) => {
        state.underWay--;
        state.returned += list.length;
        if (batch.step.name !== "work") return list;
        return list.map((result) => ({ ...result, blobs: [namedBy(result.sequence)] }));
      });
      return { results: left, ...rest };
    },
  };
  return { leaving, state };
}

function namedBy(task: number): NewBlob {
  const digest = task.toString(16).padStart(64, "0") as Digest;
  return { digest, sizeBytes: 20_000, storedBytes: 20_000, compression: "none" };
}

test("a record names no value before it is durable, and workers go on meanwhile until too many wait", async () => {
  const settled = new Set<string>();
  const early: string[] = [];
  const { store, metadata, run } = await opened("held", async (target, tick) => {
    early.push(...tick.blobs.map(({ digest }) => digest).filter((digest) => !settled.has(digest)));
    return await target.commitTick(tick);
  });
  const { leaving, state } = leavingValues(executor(5_000).seam);
  const quiet = Promise.withResolvers<number>();
  const look = setInterval(() => state.underWay === 0 && state.returned > 1 && quiet.resolve(state.returned), 100);
  let [now, most] = [0, 0];
  const end = await driveRun({
    graph: WIDE,
    run,
    execution: 1,
    metadata,
    executor: leaving,
    emit: () => {},
    // Nothing becomes durable before the workers have nothing to do any more.
    settleBlobs: async (blobs) => {
      most = Math.max(most, ++now);
      await quiet.promise;
      for (const { digest } of blobs) settled.add(digest);
      now--;
    },
  });
  clearInterval(look);
  expect(end.status).toBe("succeeded");
  expect([early, settled.size, most]).toEqual([[], 5_000, 32]);
  const returned = await quiet.promise;
  expect(returned).toBeGreaterThan(256);
  expect(returned).toBeLessThan(4_000);
  await store.close();
});

test.each(["when the grace is over", "at once when it is to end now"])(
  "a run that is stopping gives up values that do not become durable, %s",
  async (when) => {
    const named: string[] = [];
    const { store, metadata, run } = await opened(`hanging-${when.length}`, async (target, tick) => {
      named.push(...tick.blobs.map(({ digest }) => digest));
      return await target.commitTick(tick);
    });
    const { leaving } = leavingValues(executor(50).seam);
    const [cancel, endNow] = [new AbortController(), new AbortController()];
    const isGrace = when === "when the grace is over";
    const events: RunEvent[] = [];
    const late = Promise.withResolvers<void>();
    const end = await driveRun({
      graph: WIDE,
      run,
      execution: 1,
      metadata,
      executor: leaving,
      emit: (event) => events.push(event),
      settleBlobs: async () => {
        cancel.abort();
        if (!isGrace) endNow.abort();
        await late.promise;
      },
      signal: cancel.signal,
      endNow: endNow.signal,
      graceMs: isGrace ? 20 : 1e8,
    });
    expect(end.status).toBe("cancelled");
    expect(events.filter(({ kind }) => kind === "task.cancelled").length).toBeGreaterThan(0);
    // What is heard of them later changes nothing.
    late.reject(new Error("the bucket is gone"));
    await new Promise((resolve) => setImmediate(resolve));
    expect(named).toEqual([]);
    await store.close();
  },
);

test("a value that cannot be made durable ends the drive, and nothing is written after it", async () => {
  let commits = 0;
  const named: string[] = [];
  const { store, metadata, run } = await opened("refused", async (target, tick) => {
    commits++;
    named.push(...tick.blobs.map(({ digest }) => digest));
    return await target.commitTick(tick);
  });
  const { leaving } = leavingValues(executor(50).seam);
  const settleBlobs = async (): Promise<void> => {
    throw new Error("the bucket is gone");
  };
  await expect(
    driveRun({ graph: WIDE, run, execution: 1, metadata, executor: leaving, emit: () => {}, settleBlobs }),
  ).rejects.toThrow("the bucket is gone");
  const written = commits;
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect([commits, named]).toEqual([written, []]);
  await store.close();
});

test("a value that the store refuses fails the run, and nobody waits for those that hang", async () => {
  const named: string[] = [];
  const { store, metadata, run } = await opened("store-fault", async (target, tick) => {
    named.push(...tick.blobs.map(({ digest }) => digest));
    return await target.commitTick(tick);
  });
  const { leaving } = leavingValues(executor(50).seam);
  const second = Promise.withResolvers<void>();
  let calls = 0;
  const end = await driveRun({
    graph: WIDE,
    run,
    execution: 1,
    metadata,
    executor: leaving,
    emit: () => {},
    settleBlobs: async () => {
      if (++calls > 1) {
        second.resolve();
        return await new Promise(() => {});
      }
      await second.promise;
      const cause = new Error("403");
      throw new FlowError("FLOW_STORAGE_DENIED", { message: "Cannot put it", hint: "Give it the rights", cause });
    },
  });
  expect(end).toMatchObject({
    status: "failed",
    failure: { error: { code: "FLOW_STORAGE_DENIED", hint: "Give it the rights" } },
  });
  expect(end.failure?.task).toBeUndefined();
  expect(JSON.stringify(end.failure)).not.toContain("stack");
  expect(named).toEqual([]);
  await store.close();
});

test("what the step cache gives and a deletion takes away before the commit is looked for again, and executed", async () => {
  // Another run has done the same work, and is deleted between the look of the first task and the commit.
  let isDeleted = false;
  const { store, metadata, run } = await opened("taken-away", async (target, tick) => {
    if (!isDeleted && tick.finished.some(({ takenFrom }) => takenFrom === source)) {
      isDeleted = true;
      const by = { at: new Date(), actor: "ann", host: "north", via: "test" };
      const deletion = openSqliteDeletion(path.join(folder, "taken-away.db"), {
        lockFile: path.join(folder, "taken-away.lock"),
        liveness: { self: { host: "test", pid: 1 }, now: Date.now, isAlive: () => false },
      });
      await deleteRuns(deletion, [other.sequence], { by });
      await deletion.close();
    }
    return await target.commitTick(tick);
  });
  const other = await store.createRun(newRun());
  const source = await store.reserveTasks(1);
  await store.commitTick(tick({ started: [started(other, source)], finished: [finished(source)] }));
  await store.finishRun({
    run: other.sequence,
    execution: 1,
    status: "succeeded",
    finishedAt: new Date(),
    endTask: source,
  });
  const { seam } = executor(20);
  const [takers, events]: [Set<number>, string[]] = [new Set(), []];
  const taking: Executor = {
    ...seam,
    submit: (batch) => {
      const { results, ...rest } = seam.submit(batch);
      const take = (result: TaskResult): TaskResult => {
        if (batch.step.name !== "work" || isDeleted || result.outcome.kind !== "succeeded") return result;
        takers.add(result.sequence);
        return { ...result, outcome: { ...result.outcome, takenFrom: { task: source, name: "Other/1/work" } } };
      };
      return { results: results.then((list) => list.map(take)), ...rest };
    },
  };
  const end = await driveRun({
    graph: WIDE,
    run,
    execution: 1,
    metadata,
    executor: taking,
    emit: (event) =>
      void (event.kind.startsWith("task.") && "task" in event && events.push(`${event.kind} ${event.task}`)),
  });
  expect([end.status, isDeleted, takers.size > 0]).toEqual(["succeeded", true, true]);
  const tasks = await store.tasks({ run: run.sequence });
  expect(tasks.map(({ status, origin }) => [status, origin])).toEqual(tasks.map(() => ["succeeded", undefined]));
  expect(tasks.length).toBe(22);
  expect([events.length, new Set(events).size]).toEqual([44, 44]); // Each begins once and ends once.
  await store.close();
});

test("children are sent only after their split is durable", async () => {
  const durable = new Set<number>();
  const { store, metadata, run } = await opened("order", async (target, tick) => {
    const notTaken = await target.commitTick(tick);
    for (const task of tick.finished) durable.add(task.sequence);
    return notTaken;
  });
  const { seam, batches } = executor(50);
  const early: string[] = [];
  const submit = seam.submit.bind(seam);
  const watching: Executor = {
    ...seam,
    submit: (batch) => {
      for (const task of batch.tasks) {
        const needs = [task.inherits, ...(task.inputs ?? []).map((input) => input.task)];
        if (needs.some((sequence) => sequence !== undefined && !durable.has(sequence))) early.push(task.step);
      }
      return submit(batch);
    },
  };
  await driveRun({ graph: WIDE, run, execution: 1, metadata, executor: watching, emit: () => {} });
  expect([early, batches.length > 2]).toEqual([[], true]);
  await store.close();
});
