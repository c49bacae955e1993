/** How many workers there are, and the account of those that wait, with workers that the test holds in its hand. */
import { expect, test } from "vitest";
import type { Batch, TaskResult } from "./protocol.ts";
import { StepConduct } from "./step-conduct.ts";
import type { BatchReport } from "./worker-host.ts";
import { WorkerPool } from "./worker-pool.ts";

test("a task that runs once more and waits leaves its place to others, and takes it again", async () => {
  const runs: { readonly tasks: number; readonly report: PromiseWithResolvers<BatchReport> }[] = [];
  const pool = new WorkerPool({
    slots: 1,
    conduct: new StepConduct(),
    open: () => ({
      run: (batch) => {
        const report = Promise.withResolvers<BatchReport>();
        runs.push({ tasks: batch.tasks.length, report });
        return report.promise;
      },
      abort() {},
      cancel() {},
      close: async () => {},
    }),
  });
  const batch = (...sequences: readonly number[]): Batch =>
    ({ step: { name: "work" }, tasks: sequences.map((sequence) => ({ sequence })) }) as unknown as Batch;
  const results = (...sequences: readonly number[]) =>
    sequences.map((sequence) => ({ sequence })) as unknown as readonly TaskResult[];
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  const first = pool.submit(batch(1, 2));
  runs[0]!.report.resolve({ results: results(1), tasksToRedo: 1 });
  await turn();
  expect(runs.map(({ tasks }) => tasks)).toEqual([2, 1]);

  // The second task waits for a run inside it, which needs a worker: there is one slot, and it is free now.
  first.setWaiting(true);
  const second = pool.submit(batch(3));
  expect(runs).toHaveLength(3);
  runs[2]!.report.resolve({ results: results(3) });
  expect(await second.results).toHaveLength(1);

  first.setWaiting(false);
  const third = pool.submit(batch(4));
  expect(runs).toHaveLength(3); // The slot is taken again.
  runs[1]!.report.resolve({ results: results(2) });
  expect((await first.results).map(({ sequence }) => sequence)).toEqual([1, 2]);
  await turn();
  expect(runs).toHaveLength(4);
  runs[3]!.report.resolve({ results: results(4) });
  expect(await third.results).toHaveLength(1);
  await pool.close();
});

test("as many workers as are asked for start at once, the others when a batch finds none free", async () => {
  let opened = 0;
  const pool = new WorkerPool({
    slots: 3,
    eager: 1,
    conduct: new StepConduct(),
    open: () => {
      opened++;
      return { run: () => new Promise(() => {}), abort() {}, cancel() {}, close: async () => {} };
    },
  });
  const submit = () => pool.submit({ step: { name: "work" }, tasks: [] } as unknown as Batch).results.catch(() => {});
  expect(opened).toBe(1);
  submit();
  expect(opened).toBe(1);
  for (let count = 0; count < 4; count++) submit();
  expect(opened).toBe(3);
  await pool.close();
});

test("a batch waits for a worker that is looked at, as long as that does not take long", async () => {
  const opened: PromiseWithResolvers<BatchReport>[][] = [];
  const pool = new WorkerPool({
    slots: 2,
    conduct: new StepConduct(),
    open: () => {
      const runs: PromiseWithResolvers<BatchReport>[] = [];
      opened.push(runs);
      return {
        run: () => {
          const report = Promise.withResolvers<BatchReport>();
          runs.push(report);
          return report.promise;
        },
        abort() {},
        cancel() {},
        close: async () => {},
      };
    },
  });
  const submit = () => pool.submit({ step: { name: "work" }, tasks: [{}] } as unknown as Batch);
  const report = (isUnsure: boolean) => ({ results: [{}] as unknown as readonly TaskResult[], isUnsure });

  const first = submit();
  opened[0]![0]!.resolve(report(true));
  await first.results;
  const second = submit();
  expect([opened.length, opened[0]!.length]).toEqual([1, 2]); // The batch and its look.
  opened[0]![1]!.resolve({ results: [] });
  await new Promise((resolve) => setImmediate(resolve));
  expect([opened.length, opened[0]!.length]).toEqual([1, 3]);
  opened[0]![2]!.resolve(report(true));
  await second.results;

  submit().results.catch(() => {});
  while (opened.length === 1) await new Promise((resolve) => setTimeout(resolve, 5)); // The look takes too long.
  expect(opened[1]).toHaveLength(1);
  await pool.close();
});

test("where no worker can be started a batch is told so, and waits where there are others", async () => {
  let isRefused = true;
  const runs: PromiseWithResolvers<BatchReport>[] = [];
  const pool = new WorkerPool({
    slots: 2,
    eager: 2,
    conduct: new StepConduct(),
    open: () => {
      if (isRefused) throw new Error("no thread left");
      isRefused = true;
      const run = () => {
        runs.push(Promise.withResolvers<BatchReport>());
        return runs.at(-1)!.promise;
      };
      return { run, abort() {}, cancel() {}, close: async () => {} };
    },
  });
  const submit = () => pool.submit({ step: { name: "work" }, tasks: [{}] } as unknown as Batch).results;
  await expect(submit()).rejects.toThrow("no worker could be started: no thread left");

  isRefused = false;
  const results = [submit(), submit()];
  expect(runs).toHaveLength(1);
  runs[0]!.resolve({ results: [] });
  await results[0];
  await new Promise((resolve) => setImmediate(resolve));
  runs[1]!.resolve({ results: [] });
  await results[1];
  await pool.close();
});

test("a rest waits for workers that are looked at, and ends those that are of no more use", async () => {
  const told: unknown[] = [];
  const closed: string[] = [];
  const looks: PromiseWithResolvers<BatchReport>[] = [];
  const names = ["first", "second"];
  const pool = new WorkerPool({
    slots: 2,
    eager: 2,
    conduct: new StepConduct(),
    open: () => {
      const name = names.shift()!;
      return {
        run: (batch) => {
          if (batch.tasks.length > 0) return Promise.resolve({ results: [], isUnsure: true });
          looks.push(Promise.withResolvers());
          return looks.at(-1)!.promise;
        },
        abort() {},
        cancel() {},
        rest: async () => name === "second",
        renew: async () => true,
        close: async () => void closed.push(name),
      };
    },
  });
  pool.onMessage((message) => told.push(message));
  const batch = { step: { name: "work" }, tasks: [{ sequence: 1 }] } as unknown as Batch;
  await Promise.all([pool.submit(batch).results, pool.submit(batch).results]);
  expect(looks).toHaveLength(2);
  const resting = pool.rest();
  for (const look of looks) look.resolve({ results: [] });
  expect(await resting).toBe(true);
  expect(closed).toEqual(["first"]);
  expect(told).toEqual([]);
  names.push("third");
  await pool.renew();
  expect(names).toEqual([]); // As many as a new pool would have.
  await pool.close();
});
