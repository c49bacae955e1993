/**
 * Who writes when. SQLite has one writer at a time over all processes; its own waiting stops the thread and lets a busy
 * process starve the others. Here a process waits by timers, with jitter and a stated limit, and one that shares the
 * store leaves a gap after each of its transactions, in proportion to their length: while others write too, it takes at
 * most a third of the time. Alone on the store it never waits. Writes of one process run one after another, in order.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { FlowError } from "../../errors/flow-error.ts";
import { isBusy } from "./sqlite-error.ts";

export interface WriteTurnsOptions {
  /** How long to wait for a lock before giving up. Default 30,000. */
  readonly busyLimitMs?: number;
  /** Numbers in [0, 1), for the jitter. Default Math.random. */
  readonly random?: () => number;
}

const DEFAULT_BUSY_LIMIT_MS = 30_000;
/** Waiting does not grow with the number of tries: who waits longest must not have the smallest chance. */
const MAX_WAIT_MS = 12;
const MAX_GAP_MS = 20;
/** A lock that was seen as long ago is another one now. */
const SAME_LOCK_MS = 1_000;
/** How long others count as active after one of their commits was seen. */
const SHARED_FOR_MS = 1_000;

export class WriteTurns {
  readonly #file: string;
  readonly #busyLimitMs: number;
  readonly #random: () => number;
  #last: Promise<unknown> = Promise.resolve();
  #sharedUntil = 0;
  #othersWroteAt = Number.NEGATIVE_INFINITY;
  #nextStart = 0;
  /** Since when one lock is in the way of all writes, and when it was seen last. */
  #lockedSince = Number.NEGATIVE_INFINITY;
  #lockedUntil = Number.NEGATIVE_INFINITY;

  constructor(file: string, options: WriteTurnsOptions) {
    this.#file = file;
    this.#busyLimitMs = options.busyLimitMs ?? DEFAULT_BUSY_LIMIT_MS;
    this.#random = options.random ?? Math.random;
  }

  /** Runs a transaction when all earlier ones are done; again and again while the store is locked. */
  take<T>(transaction: () => T): Promise<T> {
    const turn = this.#last.then(() => this.#run(transaction));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /**
   * Runs something that needs no turn of its own (a read, opening), again while the store is locked. The limit is that of
   * the lock, not of each write: what waits behind a write that gave up does not wait as long again.
   */
  async retry<T>(work: () => T): Promise<T> {
    for (;;) {
      try {
        const answer = work();
        this.#lockedUntil = Number.NEGATIVE_INFINITY;
        return answer;
      } catch (error) {
        if (!isBusy(error)) throw error;
        const now = performance.now();
        if (now - this.#lockedUntil > SAME_LOCK_MS) this.#lockedSince = now;
        this.#lockedUntil = now;
        const waitedMs = now - this.#lockedSince;
        if (waitedMs >= this.#busyLimitMs) throw this.#busy(waitedMs, error);
        this.#sharedUntil = now + SHARED_FOR_MS;
      }
      await sleep(1 + this.#random() * (MAX_WAIT_MS - 1));
    }
  }

  /**
   * Told when a commit of another connection was seen. One alone says nothing: a run's own heartbeat, which nobody has to
   * leave room for, is a connection of its own.
   */
  othersWrote(): void {
    const now = performance.now();
    if (now - this.#othersWroteAt < SHARED_FOR_MS) this.#sharedUntil = now + SHARED_FOR_MS;
    this.#othersWroteAt = now;
  }

  /** Waits until all writes that were asked for are done. */
  async settled(): Promise<void> {
    await this.#last;
  }

  async #run<T>(transaction: () => T): Promise<T> {
    const gapMs = this.#nextStart - performance.now();
    if (gapMs > 0) await sleep(gapMs);
    let begin = 0;
    try {
      return await this.retry(() => {
        begin = performance.now();
        return transaction();
      });
    } finally {
      const end = performance.now();
      const isShared = end < this.#sharedUntil;
      this.#nextStart = isShared ? end + Math.min(MAX_GAP_MS, (end - begin) * (1.5 + this.#random())) : 0;
    }
  }

  #busy(waitedMs: number, cause: unknown): FlowError {
    return new FlowError("FLOW_METADATA_BUSY", {
      message: `Cannot write to "${this.#file}": another process has kept it locked for ${(waitedMs / 1_000).toFixed(1)} s`,
      hint: "End the program that holds the store, then try again",
      context: { path: this.#file, waitedMs: Math.round(waitedMs), limitMs: this.#busyLimitMs },
      cause,
    });
  }
}
