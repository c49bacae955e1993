import { Flow, step } from "@millrace/core";

/**
 * The first of two flows: it leaves behind what the other one reads. Run it first, once plain and once with a tag.
 *
 *     flow run harvest.ts
 *     flow run harvest.ts --tag best:year
 */
export default class Harvest extends Flow {
  sacks!: number;

  @step({ next: "end" })
  start() {
    this.sacks = 40;
  }

  @step()
  end() {
    console.log(`${this.sacks} sacks are in the barn`);
  }
}
