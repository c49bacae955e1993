/**
 * The machine's clock, but nobody waits for nothing: while no task runs, the next thing that is waited for happens at
 * once, and the clock shows the time that it would have been.
 */
interface Timer {
  readonly at: number;
  readonly run: () => void;
  readonly handle: NodeJS.Timeout;
}

export class IdleClock {
  readonly #isIdle: () => boolean;
  readonly #timers = new Set<Timer>();
  #skippedMs = 0;
  #isLooking = false;

  /** @param isIdle whether nothing runs: asked again and again while somebody waits */
  constructor(isIdle: () => boolean) {
    this.#isIdle = isIdle;
  }

  now(): Date {
    return new Date(Date.now() + this.#skippedMs);
  }

  after(delayMs: number, run: () => void): () => void {
    const timer: Timer = {
      at: this.now().getTime() + delayMs,
      run,
      handle: setTimeout(() => this.#fire(timer), delayMs),
    };
    this.#timers.add(timer);
    this.#look();
    return () => {
      clearTimeout(timer.handle);
      this.#timers.delete(timer);
    };
  }

  #fire(timer: Timer): void {
    clearTimeout(timer.handle);
    if (this.#timers.delete(timer)) timer.run();
  }

  /** Once a turn is enough: what a task leads to begins within one. */
  #look(): void {
    if (this.#isLooking || this.#timers.size === 0) return;
    this.#isLooking = true;
    setTimeout(() => {
      this.#isLooking = false;
      if (this.#isIdle()) this.#skip();
      this.#look();
    }, LOOK_MS);
  }

  #skip(): void {
    const [next] = [...this.#timers].sort((left, right) => left.at - right.at);
    if (next === undefined) return;
    this.#skippedMs += Math.max(0, next.at - this.now().getTime());
    this.#fire(next);
  }
}

/** Long against the turn in which a result is committed and leads to the next task, short for whoever waits for a test. */
const LOOK_MS = 1;
