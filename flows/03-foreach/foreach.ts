import { Flow, type Inputs, join, step } from "@millrace/core";

/**
 * One task for each item of a list. The join has the results in the order of the items, whichever was ready first.
 *
 *     flow run foreach.ts        # oat: 3, barley: 6, wheat: 5
 *     flow show Grind            # grind  3  succeeded
 */
export default class Grind extends Flow {
  sacks!: string[];
  grain!: string;
  weight!: number;
  weights!: Record<string, number>;

  @step({ next: "grind", foreach: "sacks" })
  start() {
    this.sacks = ["oat", "barley", "wheat"];
  }

  @step({ next: "weigh" })
  grind(sack: string) {
    this.grain = sack;
    this.weight = sack.length;
  }

  @join({ next: "end" })
  weigh(inputs: Inputs<Grind>) {
    this.weights = Object.fromEntries(inputs.map((input) => [input.grain, input.weight]));
  }

  @step()
  end() {
    const parts = Object.entries(this.weights).map(([grain, weight]) => `${grain}: ${weight}`);
    console.log(parts.join(", "));
  }
}
