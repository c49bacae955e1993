import { Flow, step, upstream } from "@millrace/core";
import { mean, rowCount } from "@millrace/ml";
import Collect from "./collect.ts";
import { predictWith } from "./common.ts";
import Train from "./train.ts";

/**
 * Scores fresh rows with the production model. Rows older than a day and models older than thirty days are refused:
 * a pipeline that has silently stopped does not go on giving yesterday's answers.
 *
 *     flow run collect.ts --dataset flights && flow run score-daily.ts
 */
export default class ScoreDaily extends Flow {
  readonly model = upstream(Train, { tags: ["prod:v1"], maxAge: "30d" });
  readonly rows = upstream(Collect, { maxAge: "1d" });

  predictions!: Float64Array;

  @step({ next: "end" })
  async start() {
    const { featureEngineer, modeler } = this.model.data;
    this.predictions = await predictWith({ featureEngineer, modeler }, this.rows.data.freshRows);
  }

  @step()
  end() {
    console.log(
      `${this.predictions.length} of ${rowCount(this.rows.data.freshRows)} fresh rows scored, mean ${mean(this.predictions).toFixed(2)}`,
    );
  }
}
