/**
 * How many tasks travel in one message. Short tasks travel together, because a message and a commit cost more than they
 * do; long ones travel alone, so that no worker idles while another has a queue. The size follows the measured duration.
 */

/** Work that one message should hold: long against the 0.1 ms of a message, short against what a person notices. */
const TARGET_MS = 10;
/** What a worker that is lost gives back, and what a commit can be late by, stays small. */
const MOST_TASKS = 256;
/** A message is never made smaller than this for the sake of sharing: the message itself would cost more than its tasks. */
const LEAST_MS = 2;
/** Weight of the newest measurement in the moving average. */
const WEIGHT = 0.3;
/** No task takes less of its worker, whatever the clock says: so much is done around it. */
const LEAST_AVERAGE_MS = 0.02;
/** A measurement below this share of the average replaces it: the first task in a worker pays for compiling the step. */
const COLD_SHARE = 0.5;
/**
 * A measurement counts as at most so many averages: one task that the machine held up does not make thousands travel alone, and ten
 * long ones are noticed all the same.
 */
const MOST_SHARE = 4;
/** What a task that takes so long in a new worker takes later, until one is known: the first one runs code that nobody has compiled. */
const WARM_SHARE = 0.1;
/** Messages of short tasks that wait for each worker: a commit takes about as long as a few of them. */
const MESSAGES_AHEAD = 6;
/** Tasks that must have been measured for each message ahead: what is sent early is sized by what is known by then. */
const MEASURED_FOR_EACH = 8;

export class BatchSize {
  readonly #averageMs = new Map<string, number>();
  readonly #measured = new Map<string, number>();

  /** Notes how long a task of a step took. */
  measured(step: string, durationMs: number): void {
    this.#measured.set(step, (this.#measured.get(step) ?? 0) + 1);
    const before = this.#averageMs.get(step);
    const isFirstWarm = before === undefined || durationMs < before * COLD_SHARE;
    const counted = isFirstWarm ? durationMs : Math.min(durationMs, MOST_SHARE * Math.max(before, LEAST_AVERAGE_MS));
    this.#averageMs.set(step, isFirstWarm ? durationMs : before + WEIGHT * (counted - before));
  }

  /**
   * Tasks for the next message of a step of which `ready` tasks wait for `slots` workers.
   *
   * @param isFirst whether workers have nothing else of it: then something comes back soon, and the main thread is not idle meanwhile
   */
  of(step: string, ready: number, slots: number, isFirst = false): number {
    const averageMs = this.#averageMs.get(step);
    if (averageMs === undefined) return 1;
    const within = (ms: number, eachMs: number): number => Math.floor(ms / Math.max(eachMs, LEAST_AVERAGE_MS));
    const isCold = this.#measured.get(step)! <= slots;
    const least = within(LEAST_MS, averageMs);
    const fairShare = isFirst ? least : Math.max(Math.ceil(ready / (2 * slots)), least);
    return Math.max(1, Math.min(within(TARGET_MS, averageMs * (isCold ? WARM_SHARE : 1)), fairShare, MOST_TASKS));
  }

  /** Messages that each worker may have at once: of short tasks it should find the next one waiting. */
  messagesOf(step: string): number {
    const averageMs = this.#averageMs.get(step);
    if (averageMs === undefined || averageMs >= TARGET_MS) return 1;
    return Math.min(MESSAGES_AHEAD, 1 + Math.floor(this.#measured.get(step)! / MEASURED_FOR_EACH));
  }
}
