import { Flow, param, step, z } from "@millrace/core";

/** For a version without it, the compiler must not see what the command will refuse. */
const sharing: object = { shared: ["data"] };

/** As `array.ts`, but the second step reads the array without a copy of its own. */
export default class SharedArray extends Flow {
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

  @step({ ...sharing })
  end() {
    this.sum = this.data[this.size - 1]!;
    console.log(`loaded at ${Date.now()}`);
  }
}
