/**
 * Memory that pieces of work share: each takes what it needs and waits until there is room. Whoever came first gets it first, so
 * that a large one is not passed by small ones for ever.
 */
export class ByteBudget {
  readonly #limitBytes: number;
  readonly #waiting: { readonly bytes: number; readonly begin: () => void }[] = [];
  #used = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Waits for room. What needs more than all of it goes alone. */
  async take(bytes: number): Promise<TakenBytes> {
    const taken = Math.min(bytes, this.#limitBytes);
    if (this.#waiting.length > 0 || this.#used + taken > this.#limitBytes)
      await new Promise<void>((begin) => this.#waiting.push({ bytes: taken, begin }));
    else this.#used += taken;
    let isReleased = false;
    return {
      release: () => {
        if (isReleased) return;
        isReleased = true;
        this.#give(taken);
      },
    };
  }

  async run<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    const taken = await this.take(bytes);
    try {
      return await work();
    } finally {
      taken.release();
    }
  }

  #give(bytes: number): void {
    this.#used -= bytes;
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (this.#used + next.bytes > this.#limitBytes) return;
      this.#waiting.shift();
      this.#used += next.bytes;
      next.begin();
    }
  }
}

export interface TakenBytes {
  /** Gives them back; a second call does nothing. */
  release(): void;
}
