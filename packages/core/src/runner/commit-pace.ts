import { SHOWN_AFTER_MS } from "./tick-builder.ts";

/** Begun tasks and output wait this long for a result to be committed with, so that they seldom cost a commit of their own. */
const LAZY_MS = SHOWN_AFTER_MS;
/** Time between two commits while workers are busy, as a share of what the last one took. */
const GAP_SHARE = 2;
/** No result waits longer than this for company. */
const LONGEST_GAP_MS = 50;

/**
 * Decides when the next commit is made; there is never more than one at a time.
 *
 * While workers have enough to do, commits leave twice the time between them that the last one took: results that come
 * meanwhile share the next commit, and the disk is never what the workers wait for. A line of steps is not slowed down,
 * since nothing else is in flight there.
 */
export class CommitPace {
  readonly #commit: () => Promise<void>;
  readonly #isBusy: () => boolean;
  #last = { endedAt: 0, tookMs: 0 };
  #isQueued = false;
  #isRunning = false;
  #isWantedAgain = false;
  #lazyTimer: NodeJS.Timeout | undefined;

  /**
   * @param commit makes a commit; it must not reject
   * @param isBusy whether workers have enough to do for a while
   */
  constructor(commit: () => Promise<void>, isBusy: () => boolean) {
    this.#commit = commit;
    this.#isBusy = isBusy;
  }

  /** A result waits. */
  soon(): void {
    if (this.#isRunning) this.#isWantedAgain = true;
    if (this.#isRunning || this.#isQueued) return;
    this.#isQueued = true;
    const waitMs = this.#isBusy()
      ? Math.min(this.#last.endedAt + GAP_SHARE * this.#last.tookMs - performance.now(), LONGEST_GAP_MS)
      : 0;
    if (waitMs > 1) setTimeout(() => void this.#run(), waitMs);
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
    this.#isRunning = true;
    this.stop();
    const beganAt = performance.now();
    await this.#commit();
    const endedAt = performance.now();
    this.#last = { endedAt, tookMs: endedAt - beganAt };
    this.#isRunning = false;
    if (!this.#isWantedAgain) return;
    this.#isWantedAgain = false;
    this.soon();
  }
}
