import { Flow, param, step, z } from "@millrace/core";

/** As array.ts; the second step shares the array instead of having a copy. */
export default class SharedArray extends Flow {
  readonly size = param(z.coerce.number().int().min(1).default(12_500_000));
  readonly seed = param(z.coerce.number().int().default(1));
  data!: Float64Array;
  sum!: number;

  @step({ next: "end" })
  start() {
    const begin = performance.now();
    const data = new Float64Array(this.size);
    let state = this.seed;
    for (let index = 0; index < data.length; index++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
      data[index] = state * 1.000_000_123;
    }
    this.data = data;
    console.log(`own ${(performance.now() - begin).toFixed(1)} ms`);
  }

  @step({ shared: ["data"] })
  end() {
    const { data } = this;
    const begin = performance.now();
    let sum = 0;
    for (let index = 0; index < data.length; index++) sum += data[index]!;
    this.sum = sum;
    console.log(`own ${(performance.now() - begin).toFixed(1)} ms`);
  }
}
