import { Flow, param, step, z } from "@millrace/core";
import { rowCount, type Table } from "@millrace/ml";
import { SEED } from "./common.ts";
import { readFlights } from "./flights.ts";
import { drawRows } from "./synthetic.ts";

/** Where the fresh rows of synthetic data begin: behind all that a model can have learnt from. */
const BEHIND = 200_000;

/**
 * Collects fresh rows: such that no model has learnt from. In a real house this would ask a database.
 *
 *     flow run collect.ts --dataset flights
 */
export default class Collect extends Flow {
  readonly dataset = param(z.enum(["synthetic", "flights"]).default("synthetic").describe("What to collect"));
  readonly rows = param(z.int().min(1).max(10_000).default(200).describe("How many rows"));
  readonly seed = param(z.int().default(SEED).describe("The seed of the data that the model has learnt from"));

  freshRows!: Table;

  @step({ next: "end" })
  async start() {
    const { rows, seed } = this;
    this.freshRows =
      this.dataset === "flights"
        ? await readFlights({ rows, seed, part: "latest" })
        : drawRows({ rows, skip: BEHIND, seed });
  }

  @step()
  end() {
    console.log(`${rowCount(this.freshRows)} fresh rows of ${this.dataset} data`);
  }
}
