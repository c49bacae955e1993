import { Flow, type Inputs, join, param, step, z } from "@millrace/core";

/** One large array that ten tasks of a foreach read, all in one memory. */
export default class ManySharers extends Flow {
  readonly size = param(z.coerce.number().int().min(1).default(12_500_000));
  readonly seed = param(z.coerce.number().int().default(1));
  data!: Float64Array;
  items!: number[];
  sum!: number;

  @step({ next: "work", foreach: "items" })
  start() {
    const begin = performance.now();
    const data = new Float64Array(this.size);
    let state = this.seed;
    for (let index = 0; index < data.length; index++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
      data[index] = state * 1.000_000_123;
    }
    this.data = data;
    this.items = Array.from({ length: 10 }, (_, index) => index);
    console.log(`own ${(performance.now() - begin).toFixed(1)} ms`);
  }

  @step({ next: "end", shared: ["data"] })
  work(item: number) {
    this.sum = this.data[item]!;
  }

  @join()
  end(inputs: Inputs<ManySharers>) {
    this.sum = inputs.reduce((sum, input) => sum + input.sum, 0);
  }
}
