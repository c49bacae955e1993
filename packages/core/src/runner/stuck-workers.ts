/**
 * Threads that could not be ended. A program with such a thread cannot end in the ordinary way either: Node waits for its
 * threads. Kept on `globalThis` under a `Symbol.for` key, where the command finds it without loading the runner.
 */
const STUCK = Symbol.for("millrace.stuckWorkers");
const holder = globalThis as { [STUCK]?: number };

export function noteStuckWorker(): void {
  holder[STUCK] = (holder[STUCK] ?? 0) + 1;
}
