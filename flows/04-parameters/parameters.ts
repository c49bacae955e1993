import { Flow, param, step, z } from "@millrace/core";

/**
 * Parameters: type, default, check and help come from one schema. Wrong values are all told before anything runs.
 *
 *     flow run parameters.ts                          # 10 turns at 1.5 m: 94.2 m of belt
 *     flow run parameters.ts --turns 3 --radius 2     # 3 turns at 2 m: 37.7 m of belt
 *     flow run parameters.ts --turns many             # --turns many: Invalid input: expected number, received string
 *     flow run parameters.ts --help                   # -t, --turns N  Turns of the wheel; default 10
 */
export default class Belt extends Flow {
  readonly turns = param(z.int().positive().default(10).describe("Turns of the wheel"), { short: "t" });
  readonly radius = param(z.number().positive().default(1.5).describe("Radius of the wheel in metres"));

  metres!: number;

  @step({ next: "end" })
  start() {
    this.metres = this.turns * 2 * Math.PI * this.radius;
  }

  @step()
  end() {
    console.log(`${this.turns} turns at ${this.radius} m: ${this.metres.toFixed(1)} m of belt`);
  }
}
