import { setImmediate as nextTurn } from "node:timers/promises";

/** How long one piece of work may keep the thread from others: a tenth of what a person notices. */
const TURN_MS = 20;

/** Runs work that gives a sign after each piece to its end, and lets the event loop turn now and then. */
export async function inTurns<Sign, Result>(
  work: Generator<Sign, Result, undefined>,
  onSign?: (sign: Sign) => void,
): Promise<Result> {
  let begin = performance.now();
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    onSign?.(step.value);
    if (performance.now() - begin < TURN_MS) continue;
    await nextTurn();
    begin = performance.now();
  }
}
