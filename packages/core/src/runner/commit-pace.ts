import { SHOWN_AFTER_MS } from "./tick-builder.ts";

/** Begun tasks and output wait this long for a result to be committed with, so that they seldom cost a commit of their own. */
const LAZY_MS = SHOWN_AFTER_MS;
/** Time between two commits while workers are busy, as a share of what the last one took. */
const GAP_SHARE = 2;
/** No result waits longer than this for company. */
const LONGEST_GAP_MS = 50;

export interface CommitPaceOptions {
  /** Makes a commit; it must not reject. */
  readonly commit: () => Promise<void>;
  /** Whether workers have enough to do for a while. */
  readonly isBusy: () => boolean;
  /** Whether so many results wait that company for them would save nothing. */
  readonly isFull: () => boolean;
}

/**
 * Decides when the next commit is made; there is never more than one at a time.
 *
 * While workers have enough to do, commits leave twice the time between them that the last one took: results that come
 * meanwhile share the next commit, and the disk is never what the workers wait for. Hundreds of results are written at once: then
 * it is their rows that take the time, and a main thread that waits has workers waiting for it soon. So are the last ones, as soon as
 * workers run out of work. A line of steps is not slowed down, since nothing else is in flight there.
 */
export class CommitPace {
  readonly #options: CommitPaceOptions;
  #last = { endedAt: 0, tookMs: 0 };
  #isQueued = false;
  #isRunning = false;
  #isWantedAgain = false;
  /** Set while a commit is queued that waits for company. */
  #gapTimer: NodeJS.Timeout | undefined;
  #lazyTimer: NodeJS.Timeout | undefined;

  constructor(options: CommitPaceOptions) {
    this.#options = options;
  }

  /** A result waits. */
  soon(): void {
    if (this.#isRunning) this.#isWantedAgain = true;
    if (this.#isRunning) return;
    const mayWait = this.#options.isBusy() && !this.#options.isFull();
    if (this.#isQueued && (this.#gapTimer === undefined || mayWait)) return;
    this.#isQueued = true;
    clearTimeout(this.#gapTimer);
    this.#gapTimer = undefined;
    const waitMs = mayWait
      ? Math.min(this.#last.endedAt + GAP_SHARE * this.#last.tookMs - performance.now(), LONGEST_GAP_MS)
      : 0;
    if (waitMs > 1) this.#gapTimer = setTimeout(() => void this.#run(), waitMs);
    else setImmediate(() => void this.#run());
  }

  /** Something waits that is of interest to onlookers only. */
  lazily(): void {
    this.#lazyTimer ??= setTimeout(() => {
      this.#lazyTimer = undefined;
      this.soon();
    }, LAZY_MS);
  }

  /** Forgets what waits only for onlookers. */
  stop(): void {
    clearTimeout(this.#lazyTimer);
    this.#lazyTimer = undefined;
  }

  async #run(): Promise<void> {
    this.#isQueued = false;
    this.#gapTimer = undefined;
    this.#isRunning = true;
    this.stop();
    const beganAt = performance.now();
    await this.#options.commit();
    const endedAt = performance.now();
    this.#last = { endedAt, tookMs: endedAt - beganAt };
    this.#isRunning = false;
    if (!this.#isWantedAgain) return;
    this.#isWantedAgain = false;
    this.soon();
  }
}
