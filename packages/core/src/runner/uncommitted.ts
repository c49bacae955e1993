import type { Settlement } from "./judge.ts";

/** So many results are committed at once: more of them in one transaction would make none of them cheaper. */
const FULL = 512;
/** While so many results wait for their commit, nothing more is sent: records that are busy must not fill the memory. */
const MOST_UNCOMMITTED = 2_048;
/** The same of the bytes that they hold: a result may have dozens of values that lie in the records, of 16 KiB each, and output. */
const MOST_BYTES = 64 * 1024 * 1024;

/** Results that came back and wait for the next commit. */
export class Uncommitted {
  #settlements: Settlement[] = [];
  #bytes = 0;
  /** Failures that nobody has acted on, also those whose commit is under way. */
  #failures = 0;

  get isEmpty(): boolean {
    return this.#settlements.length === 0;
  }

  get isFull(): boolean {
    return this.#settlements.length >= FULL;
  }

  /**
   * Whether tasks that are ready may be sent before these are committed. After a failure it is the commit that decides whether
   * anything begins.
   */
  get leavesRoom(): boolean {
    return this.#failures === 0 && this.#settlements.length < MOST_UNCOMMITTED && this.#bytes < MOST_BYTES;
  }

  add(settlement: Settlement): void {
    this.#settlements.push(settlement);
    this.#bytes += bytesOf(settlement);
    if (settlement.verdict !== undefined) this.#failures++;
  }

  /** What these mean was acted on. */
  settled(settlements: readonly Settlement[]): void {
    for (const { verdict } of settlements) if (verdict !== undefined) this.#failures--;
  }

  take(): readonly Settlement[] {
    const settlements = this.#settlements;
    this.#settlements = [];
    this.#bytes = 0;
    return settlements;
  }
}

/** Of what it holds in memory: values with a file of their own are none of it. */
function bytesOf({ result: { blobs, logs } }: Settlement): number {
  let bytes = 0;
  for (const { stored } of blobs) bytes += stored?.length ?? 0;
  for (const { text } of logs) bytes += text.length;
  return bytes;
}
