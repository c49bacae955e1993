import { Flow, type Inputs, join, param, step, z } from "@millrace/core";

/** A foreach whose join fails while the environment says so: what a resume then finds is all but one task. */
export default class WideThenFails extends Flow {
  readonly width = param(z.coerce.number().int().min(0).default(1000));
  items!: number[];
  label!: string;
  count!: number;

  @step({ next: "work", foreach: "items" })
  start() {
    this.items = Array.from({ length: this.width }, (_, index) => index);
  }

  @step({ next: "end" })
  work(item: number) {
    this.label = `item ${item} of a foreach, which leaves an artifact of about a hundred bytes for the benchmark to keep`;
  }

  @join()
  end(inputs: Inputs<WideThenFails>) {
    if (process.env.BENCH_JOIN_FAILS === "1") throw new Error("the join was asked to fail");
    this.count = inputs.length;
  }
}
