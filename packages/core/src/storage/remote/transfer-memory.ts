/**
 * The memory that values take on their way, all together: a bound, and buffers that are used again. Without them each part would
 * leave as much behind for the garbage collector, which comes when there are hundreds of megabytes.
 */
import { ByteBudget } from "../../util/byte-budget.ts";

export interface PartRoom {
  /** Memory for a whole part; undefined for less, which has its own. */
  readonly into: Uint8Array | undefined;
  /** The part was used: its memory may be another one's now. */
  done(): void;
  /** As `done`, where somebody may write into the memory still. After `done` it does nothing. */
  drop(): void;
}

export class TransferMemory {
  readonly #limitBytes: number;
  readonly #partBytes: number;
  readonly #budget: ByteBudget;
  #taken = 0;
  /** Of those that have begun; who was let in and has not begun yet finds what is kept for him. */
  #usedBytes = 0;
  #free: Uint8Array[] = [];

  constructor(limitBytes: number, partBytes: number) {
    this.#limitBytes = limitBytes;
    this.#partBytes = partBytes;
    this.#budget = new ByteBudget(limitBytes);
  }

  /** Waits for room for a part. */
  async take(bytes: number): Promise<PartRoom> {
    const taken = await this.#budget.take(bytes);
    this.#taken++;
    const into = bytes < this.#partBytes ? undefined : (this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#partBytes));
    this.#use(bytes);
    let isOver = false;
    const end = (): boolean => {
      if (isOver) return false;
      isOver = true;
      this.#usedBytes -= bytes;
      taken.release();
      return true;
    };
    return {
      into,
      done: () => {
        if (!end()) return;
        if (into !== undefined) this.#free.push(into);
        this.#left();
      },
      drop: () => {
        if (end()) this.#left();
      },
    };
  }

  /** Has work done that needs so many bytes of its own. */
  run<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    return this.#budget.run(bytes, async () => {
      this.#use(bytes);
      try {
        return await work();
      } finally {
        this.#usedBytes -= bytes;
      }
    });
  }

  /** What is kept counts too: it goes where somebody else begins. */
  #use(bytes: number): void {
    this.#usedBytes += bytes;
    const room = Math.max(0, Math.floor((this.#limitBytes - this.#usedBytes) / this.#partBytes));
    if (this.#free.length > room) this.#free.length = room;
  }

  /** When nothing is on its way any more, nothing is kept for it. */
  #left(): void {
    if (--this.#taken === 0) this.#free = [];
  }
}
