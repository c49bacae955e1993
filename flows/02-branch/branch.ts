import { Flow, type Inputs, join, step } from "@millrace/core";

/**
 * Two steps at the same time, and a join that sees both, by name or as a list in declared order.
 *
 *     flow run branch.ts         # ebb + flood = 12 hours
 *     flow graph branch.ts       # meet   join ebb, flood → end
 */
export default class Tide extends Flow {
  hours!: number;
  total!: number;

  @step({ next: ["ebb", "flood"] })
  start() {}

  @step({ next: "meet" })
  ebb() {
    this.hours = 6.5;
  }

  @step({ next: "meet" })
  flood() {
    this.hours = 5.5;
  }

  @join({ next: "end" })
  meet(inputs: Inputs<Tide>) {
    this.total = inputs.ebb.hours + inputs.flood.hours;
  }

  @step()
  end() {
    console.log(`ebb + flood = ${this.total} hours`);
  }
}
