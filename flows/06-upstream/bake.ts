import { Flow, step, upstream } from "@millrace/core";
import Harvest from "./harvest.ts";

/**
 * Reads the artifacts of another flow's run: the newest successful one, or the one that a tag names. Which run it was,
 * and what was read, is recorded; `flow validate` checks it any time later.
 *
 *     flow run bake.ts                               # 4000 loaves from the newest harvest
 *     flow run bake.ts --harvest-tag best:year       # from that run, whatever came after it
 *     flow validate Bake
 */
export default class Bake extends Flow {
  readonly harvest = upstream(Harvest);

  loaves!: number;

  @step({ next: "end" })
  start() {
    this.loaves = this.harvest.data.sacks * 100;
  }

  @step()
  end() {
    console.log(`${this.loaves} loaves from ${this.harvest.data.sacks} sacks`);
  }
}
