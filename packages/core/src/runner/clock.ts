/** Time as the runner sees it: handed in, so that a test can turn the hands. */
export interface Clock {
  now(): Date;
  /** Calls `run` once after a while; what it gives back takes the call back. */
  after(delayMs: number, run: () => void): () => void;
}

/** The machine's clock. Waiting goes by its monotonic one, so a jump of the wall clock delays nothing. */
export const systemClock: Clock = {
  now: () => new Date(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};
