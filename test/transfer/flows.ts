/** Flows whose runs are moved: with values of every place, output, an upstream, a fork, a failure, runs inside steps. */
import { flowText } from "../scenarios/observe.ts";

export const FLOWS: Readonly<Record<string, string>> = {
  "data.ts": flowText(
    "Data",
    `
    rows!: Float64Array; text!: string;
    @step({ next: "end" }) start() {
      this.rows = Float64Array.from({ length: 20_000 }, (_, n) => Math.sin(n));
      this.text = "größe ".repeat(20_000);
      console.log("made\\u001b[31m red");
    }
    @step() end() {}`,
  ),
  "train.ts": flowText(
    "Train",
    `
    readonly source = upstream(Data);
    readonly k = param(z.coerce.number().default(3), { short: "k" });
    readonly bias = 7;
    items!: number[]; square!: number; sum!: number;
    @step({ next: "work", foreach: "items" }) start() { this.items = [1, 2, 3, 4]; }
    @step({ next: "gather", cache: true }) work(n: number) { this.square = n * n + this.source.data.rows[n]!; this.log.metric("square", this.square); console.log("worked on", n); }
    @join({ next: "end" }) gather(inputs: Inputs<Train>) { this.sum = inputs.reduce((sum, input) => sum + input.square, this.k);
      for (let epoch = 0; epoch < 2_500; epoch++) this.log.metric("val/loss", epoch === 2_400 ? Number.NaN : 1 / epoch, { step: 2 * epoch });
      this.log.metric("sum", this.sum);
      this.log.metric("sum", this.sum + 1, { step: 7 });
    }
    @step() end() {}`,
    `import Data from "./data.ts";`,
  ),
  "fails.ts": flowText(
    "Fails",
    `
    value!: number;
    @step({ next: "end" }) start() { this.value = 1; }
    @step({ retry: { times: 1, delay: "1ms" } }) end() { throw new Error("no \\u001b]0;title\\u0007 luck"); }`,
  ),
  "outer.ts": flowText(
    "Outer",
    `
    total!: number;
    @step({ next: "end" }) async start() { const inner = await run(Inner, { params: { n: 3 } }); this.total = await inner.data.twice; }
    @step() end() {}`,
    `import { run } from "@millrace/core";
export class Inner extends Flow {
  readonly n = param(z.coerce.number().default(1));
  twice!: number;
  @step({ next: "end" }) start() { this.twice = 2 * this.n; }
  @step() end() {}
}`,
  ),
};
