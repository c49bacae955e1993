import { Flow, step, upstream } from "@millrace/core";
import Harvest from "./harvest.ts";

/**
 * Reads the artifacts of another flow's run: the newest successful one, or the one that a tag names. Which run it was,
 * and what was read, is recorded; `flow validate` checks it any time later.
 *
 *     flow run bake.ts                               # 4000 loaves from 40 sacks (the newest harvest)
 *     flow run bake.ts --harvest-tag best:year       # 7200 loaves from 72 sacks (that one, whatever came after)
 *     flow validate Bake                             # ✓ Valid
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
