import { Flow, param, step, z } from "@millrace/core";

/**
 * The first of two flows: it leaves behind what the other one reads. Run it first, once with a tag and once without.
 *
 *     flow run harvest.ts --fields 9 --tag best:year     # 72 sacks are in the barn
 *     flow run harvest.ts                                # 40 sacks are in the barn
 */
export default class Harvest extends Flow {
  readonly fields = param(z.int().positive().default(5).describe("How many fields were mown"));

  sacks!: number;

  @step({ next: "end" })
  start() {
    this.sacks = this.fields * 8;
  }

  @step()
  end() {
    console.log(`${this.sacks} sacks are in the barn`);
  }
}
