/**
 * How many tasks may run at once, over a run and all runs that are started inside its steps. A task that waits for such a
 * run gives its slot back and gets one again before it goes on, so that with a single slot runs can stand inside each other
 * to any depth: whoever holds a slot is never waiting for one.
 *
 *     running ──wait──▶ waiting ──resume──▶ (first free slot) ──▶ running
 *
 * A free slot goes to a task that wants to go on, then to the innermost run that has something to start: what is begun is
 * ended before more is begun.
 */

/** A run's part in the slots. */
export interface SlotShare {
  /** Slots in all. */
  readonly capacity: number;
  /** Slots and places ahead that this run holds. */
  readonly taken: number;
  /** Whether another batch may start; one that is sent ahead only while no other run shares the slots. */
  hasRoom(ahead?: number): boolean;
  take(): void;
  giveBack(): void;
  /** A task that runs begins to wait: its slot is free. */
  wait(): void;
  /**
   * A task that waits wants to go on: calls back once it has a slot.
   *
   * @returns takes the wish back: the task is gone
   */
  resume(onSlot: () => void): () => void;
  /** A task that waits is gone. */
  stopWaiting(): void;
  /** The run has ended. */
  leave(): void;
}

/** Tasks of one run that wait for others at the same time, as a multiple of the slots: each keeps a worker that is idle. */
const WAITING_PER_SLOT = 1;

export class Slots {
  readonly capacity: number;
  readonly #shares = new Set<Share>();
  readonly #resuming: { readonly share: Share; readonly onSlot: () => void }[] = [];

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  /**
   * @param depth how many runs the run stands inside of
   * @param onRoom called when there may be room for another batch
   */
  join(depth: number, onRoom: () => void): SlotShare {
    const share = new Share(this, depth, onRoom);
    this.#shares.add(share);
    return share;
  }

  /** Whether a slot is free for something new. */
  get isFree(): boolean {
    return this.#resuming.length === 0 && this.#busy < this.capacity;
  }

  isAlone(share: Share): boolean {
    return this.#shares.size === 1 && this.#shares.has(share);
  }

  /** A slot was given back: whoever needs it most takes it. */
  freed(by?: Share): void {
    while (this.#resuming.length > 0 && this.#busy < this.capacity) {
      const { share, onSlot } = this.#resuming.shift()!;
      share.take();
      onSlot();
    }
    const others = [...this.#shares].filter((share) => share !== by).sort((left, right) => right.depth - left.depth);
    for (const share of others) if (this.isFree) share.onRoom();
  }

  queue(share: Share, onSlot: () => void): () => void {
    const entry = { share, onSlot };
    this.#resuming.push(entry);
    this.freed(share);
    return () => {
      const index = this.#resuming.indexOf(entry);
      if (index !== -1) this.#resuming.splice(index, 1);
    };
  }

  drop(share: Share): void {
    this.#shares.delete(share);
    this.freed();
  }

  /** A run has no more workers than there are slots: what it holds beyond that lies in their queue. */
  get #busy(): number {
    let busy = 0;
    for (const { taken } of this.#shares) busy += Math.min(taken, this.capacity);
    return busy;
  }
}

class Share implements SlotShare {
  readonly depth: number;
  readonly onRoom: () => void;
  readonly #slots: Slots;
  taken = 0;
  #waiting = 0;

  constructor(slots: Slots, depth: number, onRoom: () => void) {
    this.#slots = slots;
    this.depth = depth;
    this.onRoom = onRoom;
  }

  get capacity(): number {
    return this.#slots.capacity;
  }

  hasRoom(ahead = 1): boolean {
    if (this.#waiting >= WAITING_PER_SLOT * this.capacity) return false;
    if (this.#slots.isFree) return this.taken < this.capacity * ahead;
    return this.#slots.isAlone(this) && this.#waiting === 0 && this.taken < this.capacity * ahead;
  }

  take(): void {
    this.taken++;
  }

  giveBack(): void {
    this.taken--;
    this.#slots.freed(this);
  }

  wait(): void {
    this.#waiting++;
    this.giveBack();
    this.onRoom();
  }

  resume(onSlot: () => void): () => void {
    this.#waiting--;
    const leaveQueue = this.#slots.queue(this, onSlot);
    this.onRoom(); // One task less that waits: another one may begin.
    return leaveQueue;
  }

  stopWaiting(): void {
    this.#waiting--;
    this.onRoom();
  }

  leave(): void {
    this.#slots.drop(this);
  }
}
