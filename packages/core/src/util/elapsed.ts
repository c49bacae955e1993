/** Milliseconds between two times of the wall clock; 0 when the clock was put back in between: no time is negative. */
export function elapsedMs(from: Date, to: Date): number {
  return Math.max(0, to.getTime() - from.getTime());
}
