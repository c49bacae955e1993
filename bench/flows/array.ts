import { Flow, param, step, z } from "@millrace/core";

/** One large array from one step to the next; each step prints the time, in ms since 1970, at which its own work began and ended. */
export default class LargeArray extends Flow {
  readonly size = param(z.coerce.number().int().min(1).default(12_500_000));
  readonly seed = param(z.coerce.number().int().default(1));
  data!: Float64Array;
  sum!: number;

  @step({ next: "end" })
  start() {
    const data = new Float64Array(this.size);
    let state = this.seed;
    for (let index = 0; index < data.length; index++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
      data[index] = state * 1.000_000_123;
    }
    this.data = data;
    console.log(`made at ${Date.now()}`);
  }

  @step()
  end() {
    this.sum = this.data[this.size - 1]!;
    console.log(`loaded at ${Date.now()}`);
  }
}
