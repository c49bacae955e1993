/** How long the end of a run waits for output that workers sent but that has not arrived. */
const OUTPUT_WAIT_MS = 1_000;

/** Pieces of output that workers have sent beside their results: how many were announced, and how many have come. */
export class LiveChunks {
  #announced = 0;
  #received = 0;

  announced(count: number): void {
    this.#announced += count;
  }

  received(): void {
    this.#received++;
  }

  /** Resolves when all are here, or after a while without them. */
  async all(): Promise<void> {
    for (let waited = 0; this.#received < this.#announced && waited < OUTPUT_WAIT_MS; waited += 5)
      await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
