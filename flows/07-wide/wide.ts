import { Flow, type Inputs, join, param, step, z } from "@millrace/core";

/**
 * As many tasks as you ask for: a hundred thousand take a few minutes and little memory.
 *
 *     flow run wide.ts                # 100 sacks weigh 4950
 *     flow run wide.ts --n 1000       # 1000 sacks weigh 499500
 */
export default class Wide extends Flow {
  readonly n = param(z.number().int().min(0).default(100).describe("Number of sacks"));

  sacks!: number[];
  weight!: number;

  @step({ next: "weigh", foreach: "sacks" })
  start() {
    this.sacks = Array.from({ length: this.n }, (_, sack) => sack);
  }

  @step({ next: "total" })
  weigh(sack: number) {
    this.weight = sack;
  }

  @join({ next: "end" })
  total(inputs: Inputs<Wide>) {
    this.weight = 0;
    for (const input of inputs) this.weight += input.weight;
  }

  @step()
  end() {
    console.log(`${this.n} sacks weigh ${this.weight}`);
  }
}
