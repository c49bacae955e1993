import { choose, Flow, param, step, z } from "@millrace/core";

/**
 * A step that decides where to go on. A case that is left out of `next` is a compile error.
 *
 *     flow run choose.ts                 # the wheel turns
 *     flow run choose.ts --level 9       # the sluice is closed
 */
export default class Sluice extends Flow {
  readonly level = param(z.number().default(3).describe("Level of the water in metres"));

  water!: "normal" | "high";
  report!: string;

  @choose({ on: "water", next: { normal: "turn", high: "close" } })
  start() {
    this.water = this.level > 5 ? "high" : "normal";
  }

  @step({ next: "end" })
  turn() {
    this.report = "the wheel turns";
  }

  @step({ next: "end" })
  close() {
    this.report = "the sluice is closed";
  }

  @step()
  end() {
    console.log(this.report);
  }
}
