import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CommitPace } from "./commit-pace.ts";

beforeEach(() => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setImmediate", "performance"] }));
afterEach(() => vi.useRealTimers());

/** A pace whose first commit has just ended; each takes so long. */
async function paceAfterCommit({ tookMs, isBusy = true }: { readonly tookMs: number; readonly isBusy?: boolean }) {
  const state = { commits: 0, isFull: false, isBusy };
  const commit = () =>
    new Promise<void>((resolve) => {
      state.commits++;
      setTimeout(resolve, tookMs);
    });
  const pace = new CommitPace({ commit, isBusy: () => state.isBusy, isFull: () => state.isFull });
  pace.soon();
  await vi.advanceTimersByTimeAsync(tookMs);
  expect(state.commits).toBe(1);
  return { state, pace };
}

test("results wait for company while workers are busy, twice as long as the last commit took", async () => {
  const { state, pace } = await paceAfterCommit({ tookMs: 20 });
  pace.soon();
  await vi.advanceTimersByTimeAsync(38);
  expect(state.commits).toBe(1);
  await vi.advanceTimersByTimeAsync(2);
  expect(state.commits).toBe(2);
});

test("where enough of them wait, none waits any longer", async () => {
  const { state, pace } = await paceAfterCommit({ tookMs: 20 });
  pace.soon();
  await vi.advanceTimersByTimeAsync(5);
  state.isFull = true;
  pace.soon();
  await vi.advanceTimersByTimeAsync(1);
  expect(state.commits).toBe(2);
  await vi.advanceTimersByTimeAsync(100); // The wait that was given up makes no commit of its own.
  expect(state.commits).toBe(2);
});

test("the last results wait no longer once workers run out of work", async () => {
  const { state, pace } = await paceAfterCommit({ tookMs: 20 });
  pace.soon();
  await vi.advanceTimersByTimeAsync(5);
  pace.soon();
  await vi.advanceTimersByTimeAsync(1);
  expect(state.commits).toBe(1);
  state.isBusy = false;
  pace.soon();
  await vi.advanceTimersByTimeAsync(1);
  expect(state.commits).toBe(2);
});

test("a line of steps waits for nothing", async () => {
  const { state, pace } = await paceAfterCommit({ tookMs: 20, isBusy: false });
  pace.soon();
  await vi.advanceTimersByTimeAsync(1);
  expect(state.commits).toBe(2);
});

test("a result that comes during a commit is committed after it", async () => {
  const { state, pace } = await paceAfterCommit({ tookMs: 20, isBusy: false });
  pace.soon();
  await vi.advanceTimersByTimeAsync(10);
  pace.soon();
  await vi.advanceTimersByTimeAsync(9);
  expect(state.commits).toBe(2);
  await vi.advanceTimersByTimeAsync(3);
  expect(state.commits).toBe(3);
});
