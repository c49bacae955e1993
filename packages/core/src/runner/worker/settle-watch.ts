/**
 * Notices a task that awaits what can never happen. While tasks run, the ports by which the main thread talks to this
 * worker do not keep the event loop alive; when nothing else does, Node says so with `beforeExit`, after all file
 * operations, timers, sockets, threads of its pool and compilations are done. Then nobody is left to settle the promise.
 *
 * Not everything that may still settle it counts for the loop: timers that were unref'ed, as that of `AbortSignal.timeout`
 * is, are looked for before a task is given up; who listens to `this.signal` waits for the main thread; and
 * `Atomics.waitAsync` holds the loop open here. Whatever else the main thread is to answer must do the same (`holdOpen`).
 */
import { getEventListeners } from "node:events";
import { FlowError } from "../../errors/flow-error.ts";
import { pendingTimers } from "./pending-timers.ts";

/** Something that keeps the event loop alive, or not. */
export interface Port {
  ref(): void;
  unref(): void;
}

/** The loop is kept alive this long before a task is given up: a timer that was unref'ed may fire meanwhile. */
const CONFIRM_MS = 100;
/** The longest wait for an unref'ed timer before it is looked for again. */
const LOOK_AGAIN_MS = 10_000;

const HOLD = Symbol.for("millrace.holdOpen");
const holder = globalThis as { [HOLD]?: () => () => void };

/**
 * Says that something is under way which the event loop does not know of, such as an answer of the main thread: a task
 * that awaits it is not taken for one that never settles.
 *
 * @returns ends it; calling it again has no effect
 */
export function holdOpen(): () => void {
  // Found on globalThis, so that another copy of this package in the same worker holds the same loop.
  return holder[HOLD]?.() ?? (() => {});
}

interface WatchedTask {
  readonly signal: AbortSignal;
  /** Listeners that earlier tasks left at the signal, which all tasks of a worker may share. */
  readonly listenersBefore: number;
  timesEmpty: number;
  readonly giveUp: () => void;
  /** Ends the hold of a task that waits for its signal. */
  release?: () => void;
}

export class SettleWatch {
  readonly #ports: readonly Port[];
  #task: WatchedTask | undefined;
  #holds = 0;
  #isRunning = false;
  /** Set while somebody wants to know whether anything is under way. */
  #onEmpty: (() => void) | undefined;

  /** @param ports of the main thread; those that it does not know keep the loop alive, and then nothing is noticed */
  constructor(ports: readonly Port[]) {
    this.#ports = ports;
    process.on("beforeExit", () => this.#emptied());
    holder[HOLD] = () => this.#hold();
    this.#holdForWaits();
    this.#update();
  }

  /** Runs a batch. Only while it does, an empty event loop means something. */
  async batch<T>(body: () => Promise<T>): Promise<T> {
    this.#isRunning = true;
    this.#update();
    try {
      return await body();
    } finally {
      this.#isRunning = false;
      this.#update();
    }
  }

  /**
   * Runs a task of the batch; rejects with FLOW_RUNNER_NEVER_SETTLES when it cannot come back.
   *
   * @param signal that of the task: an abort may settle what it awaits
   */
  task<T>(step: string, signal: AbortSignal, body: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const task: WatchedTask = {
        signal,
        listenersBefore: listenersOf(signal),
        timesEmpty: 0,
        giveUp: () => reject(neverSettles(step)),
      };
      this.#task = task;
      const over = (): void => {
        task.release?.();
        if (this.#task === task) this.#task = undefined;
      };
      body().then(
        (value) => {
          over();
          resolve(value);
        },
        (error: unknown) => {
          over();
          reject(error);
        },
      );
    });
  }

  /**
   * Whether nothing is under way in this thread: then its event loop is empty but for the ports of the main thread. Timers, servers and
   * connections that were unref'ed do not count.
   *
   * @param limitMs how long what is about to end is waited for
   */
  async isQuiet(limitMs: number): Promise<boolean> {
    if (this.#holds > 0) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const limit = setTimeout(() => resolve(false), limitMs).unref();
    this.#onEmpty = () => resolve(true);
    for (const port of this.#ports) port.unref();
    const isQuiet = await promise;
    this.#onEmpty = undefined;
    clearTimeout(limit);
    this.#update();
    return isQuiet;
  }

  #hold(): () => void {
    let isHeld = true;
    this.#holds++;
    this.#update();
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#holds--;
      this.#update();
    };
  }

  #update(): void {
    const isHeld = !this.#isRunning || this.#holds > 0;
    for (const port of this.#ports) {
      if (isHeld) port.ref();
      else port.unref();
    }
  }

  /** Nothing keeps the loop alive. The first time that may be due to what was unref'ed; afterwards it is looked at. */
  #emptied(): void {
    if (this.#onEmpty !== undefined) {
      this.#onEmpty();
      this.#update(); // At once: a thread whose loop is still empty after this ends.
      return;
    }
    const task = this.#task;
    if (task === undefined) return;
    if (listenersOf(task.signal) > task.listenersBefore) {
      task.release = this.#hold();
      return;
    }
    task.timesEmpty++;
    const waitMs = task.timesEmpty === 1 ? CONFIRM_MS : unrefTimerMs();
    if (waitMs !== undefined) {
      setTimeout(() => {}, waitMs);
      return;
    }
    this.#task = undefined;
    task.giveUp();
  }

  /** V8 wakes what waits for shared memory, but Node does not count that as alive. */
  #holdForWaits(): void {
    const { waitAsync } = Atomics;
    const own = this;
    // biome-ignore lint/complexity/useArrowFunction: what it replaces is a function, with the same name and length.
    const wait = function (...parameters: Parameters<typeof waitAsync>): ReturnType<typeof waitAsync> {
      const waiting = waitAsync(...parameters);
      if (waiting.async) void waiting.value.then(own.#hold());
      return waiting;
    };
    Object.defineProperty(wait, "name", { value: "waitAsync" });
    Object.defineProperty(wait, "length", { value: 4 });
    Atomics.waitAsync = wait as typeof waitAsync;
  }
}

/** What waits for a signal: listeners, and signals that `AbortSignal.any` made of it. */
function listenersOf(signal: AbortSignal): number {
  dependentsKey ??= { symbol: findDependentsKey() };
  const key = dependentsKey.symbol;
  const dependents = key === undefined ? undefined : (signal as unknown as Record<symbol, unknown>)[key];
  return getEventListeners(signal, "abort").length + (dependents instanceof Set ? dependents.size : 0);
}

/** Looked for once in a thread: it is asked for before each task. */
let dependentsKey: { readonly symbol: symbol | undefined } | undefined;

/** Signals have it from the first one on that was made of them. */
function findDependentsKey(): symbol | undefined {
  const { signal } = new AbortController();
  AbortSignal.any([signal]);
  return Object.getOwnPropertySymbols(signal).find(({ description }) => description === "kDependantSignals");
}

function neverSettles(step: string): FlowError {
  return new FlowError("FLOW_RUNNER_NEVER_SETTLES", {
    message: `Step "${step}" awaits something that can never happen: nothing is under way that could settle it`,
    hint: "Look for a promise whose resolve is not called in every case, and for an event that is never emitted",
    context: { step },
  });
}

/** Time until the next unref'ed timer of this thread fires, bounded; undefined without one. Repeating ones do not count. */
function unrefTimerMs(): number | undefined {
  const once = pendingTimers().filter((timer) => !timer.isRefed && !timer.isRepeating);
  if (once.length === 0) return undefined;
  const leftMs = Math.min(...once.map((timer) => timer.atMs)) - performance.now();
  return Math.min(Math.max(leftMs, CONFIRM_MS), LOOK_AGAIN_MS);
}
