import { Flow, param, step, z } from "@millrace/core";
import { rowCount, type Table, takeRows, trainTestSplit } from "@millrace/ml";
import { type Columns, SEED, settingsOf } from "./common.ts";
import { flightColumns, readFlights } from "./flights.ts";
import { drawRows, syntheticColumns } from "./synthetic.ts";

/**
 * Makes the rows that the other flows learn from and predict for.
 *
 *     flow run generate-data.ts --configuration test_config
 *     flow run generate-data.ts --dataset flights --rows 20000
 */
export default class GenerateData extends Flow {
  readonly configuration = param(
    z.enum(["config", "test_config"]).default("config").describe("Which settings to run with"),
  );
  readonly dataset = param(
    z.enum(["synthetic", "flights"]).default("synthetic").describe("Mock data, or real arrival delays"),
  );
  readonly rows = param(
    z.int().min(20).max(200_000).optional().describe("How many rows; by the configuration unless told"),
  );
  readonly seed = param(z.int().default(SEED).describe("Another seed draws other rows"));

  rowCount!: number;
  columns!: Columns;
  trainRows!: Table;
  predictRows!: Table;

  @step({ next: "end" })
  async start() {
    const { rows: usual, predictFraction } = settingsOf(this.configuration);
    const rows = this.rows ?? usual[this.dataset];
    const isReal = this.dataset === "flights";
    const table = isReal
      ? await readFlights({ rows, seed: this.seed, part: "history" })
      : drawRows({ rows, seed: this.seed });

    this.rowCount = rowCount(table);
    const { train, test } = trainTestSplit(this.rowCount, { testFraction: predictFraction, seed: this.seed });
    this.columns = isReal ? flightColumns : syntheticColumns;
    this.trainRows = takeRows(table, train);
    this.predictRows = takeRows(table, test);
  }

  @step()
  end() {
    console.log(
      `${this.dataset}: ${rowCount(this.trainRows)} rows to learn from, ${rowCount(this.predictRows)} to predict for`,
    );
  }
}
