import { Flow, figure, type StoredFile, step, upstream } from "@millrace/core";
import { mean, numericColumn, plotPredictedVsTrue, r2, rowCount } from "@millrace/ml";
import { predictWith, SEED, writeResults } from "./common.ts";
import GenerateData from "./generate-data.ts";
import Train from "./train.ts";

/**
 * Predicts with the model of a tagged run, for rows of the very data that the model has learnt from.
 *
 *     flow run predict.ts --model-tag prod:v1
 *     flow validate
 */
export default class Predict extends Flow {
  /** Whose model to predict with: `--model-tag prod:v1`, `--model-run Train/17`. */
  readonly model = upstream(Train);
  /** The data of the very run that the model has learnt from. */
  readonly source = upstream(GenerateData, { sameAs: this.model.upstreams.source });

  predictions!: Float64Array;
  score!: number;
  predictedVsTrue!: StoredFile;

  @step({ next: "end" })
  async start() {
    const { columns, predictRows } = this.source.data;
    const { featureEngineer, modeler } = this.model.data;
    this.predictions = await predictWith({ featureEngineer, modeler }, predictRows);
    if (this.predictions.length !== rowCount(predictRows)) {
      throw new Error(`There are ${this.predictions.length} predictions for ${rowCount(predictRows)} rows`);
    }
    const truth = numericColumn(predictRows, columns.target);
    this.score = r2(truth, this.predictions);
    this.predictedVsTrue = figure(
      plotPredictedVsTrue({ truth, predicted: this.predictions, unit: columns.unit, seed: SEED }),
    );
  }

  @step()
  async end() {
    const { name, tags } = this.model.run;
    console.log(`model of ${name}, tagged ${tags.join(", ") || "nothing"}`);
    console.log(
      `${this.predictions.length} predictions, mean ${mean(this.predictions).toFixed(2)}, R² ${this.score.toFixed(4)}`,
    );
    writeResults({ "predicted-vs-true.svg": await this.predictedVsTrue.text() });
  }
}
