/** The flow that is hurt: twenty tasks with output and artifacts of every size, and the same values in each run. */
import { flowText } from "../scenarios/observe.ts";

export const TWENTY = flowText(
  "Twenty",
  `
  items!: number[]; square!: number; wave!: Float64Array; text!: string; squares!: number[]; sum!: number; waves!: Float64Array[];
  @step({ next: "work", foreach: "items" }) start() { this.items = Array.from({ length: 20 }, (_, n) => n); }
  @step({ next: "gather" }) async work(item: number) {
    await wait(10 + (item % 3) * 15);
    this.square = item ** 2;
    this.wave = Float64Array.from({ length: 3_000 }, (_, n) => Math.sqrt(item * 3_000 + n));
    this.text = ("line " + item + " ").repeat(item * 50);
    console.log("worked on " + item);
  }
  @join({ next: "sum_" }) gather(inputs: Inputs<Twenty>) {
    if (inputs.length !== 20) throw new Error("there are " + inputs.length);
    this.squares = inputs.map((input) => input.square);
    this.waves = inputs.map((input) => input.wave);
  }
  @step({ next: "end" }) async sum_() { await wait(30); this.sum = this.squares.reduce((sum, square) => sum + square, 0); }
  @step() end() {}`,
);

/** As many as in CI, all that are promised when `MILLRACE_FAULTS=all`, or the share of them that it says: `0.25`. */
export function times(inCi: number, all: number): number {
  const asked = process.env.MILLRACE_FAULTS;
  if (asked === undefined || asked === "all") return asked === undefined ? inCi : all;
  return Math.max(inCi, Math.ceil(all * Number(asked)));
}
