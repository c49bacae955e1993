/**
 * Holds results back until the values that they name are durable. The worker that made them has its next task meanwhile, so that
 * a store behind a network costs a wide step its bandwidth and not its latency.
 *
 * Bounded twice: so many results are made durable at once, and when too much waits nothing new is dispatched, for what waits
 * lies on the disk of this machine. A run that is stopping waits for them as long as for its tasks, and then counts them as cancelled.
 */
import type { NewBlob } from "../artifact/artifact.ts";
import { Bounded } from "../util/bounded.ts";
import type { Settlement } from "./judge.ts";

/** Results whose values are on their way at once: as many as there are transfers, whose own bound holds for all runs. */
const AT_ONCE = 32;
/** Results that may wait; several for each that is on its way, so that short tasks keep the way full. */
const HELD_RESULTS = 256;
/** Bytes that may wait: some tasks leave gigabytes. */
const HELD_BYTES = 4 * 1024 ** 3;

export interface ResultGateOptions {
  /** Absent where values are durable before their task ends: then each result passes at once. */
  readonly settle: ((blobs: readonly NewBlob[]) => Promise<void>) | undefined;
  /** A result may pass, or there is room again. */
  readonly onPassed: () => void;
  readonly onError: (error: unknown) => void;
}

export class ResultGate {
  readonly #options: ResultGateOptions;
  readonly #ways = new Bounded(AT_ONCE);
  #results = 0;
  #bytes = 0;
  /** Let those that are held pass as cancelled. */
  readonly #held = new Set<() => void>();
  #isGivenUp = false;

  constructor(options: ResultGateOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#results === 0;
  }

  get isFull(): boolean {
    return this.#results >= HELD_RESULTS || this.#bytes >= HELD_BYTES;
  }

  /**
   * Lets a result pass at once, or when its values are durable; one that cannot be made durable does not pass.
   *
   * @param pass is given the settlement, or after `giveUp` one that says cancelled
   */
  hold(settlement: Settlement, pass: (settlement: Settlement) => void): void {
    const { settle, onPassed, onError } = this.#options;
    const outside = settle === undefined ? [] : settlement.result.blobs.filter(({ stored }) => stored === undefined);
    if (settle === undefined || outside.length === 0) {
      pass(settlement);
      return;
    }
    if (this.#isGivenUp) {
      pass(cancelled(settlement));
      return;
    }
    const bytes = outside.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
    this.#results++;
    this.#bytes += bytes;
    const leave = (left: Settlement): void => {
      this.#held.delete(giveUp);
      this.#results--;
      this.#bytes -= bytes;
      pass(left);
      onPassed();
    };
    const giveUp = (): void => leave(cancelled(settlement));
    this.#held.add(giveUp);
    const isHeld = (): boolean => this.#held.has(giveUp);
    void this.#ways
      .run(async () => (isHeld() ? await settle(outside) : undefined))
      .then(() => (isHeld() ? leave(settlement) : undefined))
      .catch((error: unknown) => (isHeld() ? onError(error) : undefined));
  }

  /** Waits for nothing any more: what is held passes as cancelled, now and from now on. */
  giveUp(): void {
    this.#isGivenUp = true;
    for (const giveUp of [...this.#held]) giveUp();
  }
}

function cancelled({ result }: Settlement): Settlement {
  return { kind: "settlement", result: { ...result, blobs: [], outcome: { kind: "cancelled" } } };
}
