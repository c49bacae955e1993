import { FlowError } from "../errors/flow-error.ts";
import { type Duration, parseDurationMs } from "../util/duration.ts";

/** A clock that stands until it is told to go on: for retries with long delays, timeouts, and times in records. */
export interface FakeClock {
  now(): Date;
  /** Calls back once the time has come; the returned function takes that back. */
  after(delayMs: number, run: () => void): () => void;
  /**
   * Goes on by a while. What falls due on the way is called in the order of its time, and what that leads to is waited
   * for, as far as no step takes part in it.
   */
  advance(by: number | Duration): Promise<void>;
  /** Waits until something waits for this clock, and gives how long it still has to; milliseconds. */
  nextDelay(): Promise<number>;
}

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** Turns of the event loop in which what a timer led to is carried on: a commit takes a few. */
const TURNS = 8;
// As they were when this module was loaded: a test may replace the timers of Node, and would stop this clock with them.
const nextTurn = globalThis.setImmediate;

/**
 * Makes a clock that stands.
 *
 * @param options.start where it stands; default 2000-01-01, 00:00 UTC
 * @example
 * ```ts
 * const clock = fakeClock();
 * const running = runFlow(Collect, { clock });
 * expect(await clock.nextDelay()).toBe(60_000);  // the first attempt has failed, the second waits
 * await clock.advance("1m");
 * await running;
 * ```
 */
export function fakeClock(options: { readonly start?: Date | string } = {}): FakeClock {
  let nowMs = new Date(options.start ?? "2000-01-01T00:00:00Z").getTime();
  let count = 0;
  const timers = new Set<Timer>();
  const waiting: (() => void)[] = [];
  const first = (): Timer | undefined =>
    [...timers].sort((left, right) => left.at - right.at || left.order - right.order)[0];
  return {
    now: () => new Date(nowMs),
    after(delayMs, run) {
      const timer = { at: nowMs + Math.max(0, delayMs), order: count++, run };
      timers.add(timer);
      for (const go of waiting.splice(0)) go();
      return () => timers.delete(timer);
    },
    async advance(by) {
      const end = nowMs + (typeof by === "number" ? by : durationMs(by));
      for (let due = first(); due !== undefined && due.at <= end; due = first()) {
        timers.delete(due);
        nowMs = Math.max(nowMs, due.at);
        due.run();
        await turns();
      }
      nowMs = end;
      await turns();
    },
    async nextDelay() {
      for (;;) {
        const due = first();
        if (due !== undefined) return due.at - nowMs;
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
    },
  };
}

function durationMs(text: string): number {
  const ms = parseDurationMs(text);
  if (ms !== undefined) return ms;
  throw new FlowError("FLOW_TESTING_BAD_VALUE", {
    message: `Cannot advance the clock by "${text}": it is no duration`,
    hint: 'Write a number of milliseconds, or a number with a unit: "90s", "10m"',
  });
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise<void>((resolve) => nextTurn(resolve));
}
