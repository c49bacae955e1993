import { Flow, step, upstream } from "@millrace/core";
import GenerateData from "./generate-data.ts";
import Train from "./train.ts";

export default class Predict extends Flow {
  /** --model-tag prod:v1, --model-run Train/17 */
  readonly model = upstream(Train);
  /** The rows of the very run that the model learned from, unless --source-tag or --source-run says otherwise. */
  readonly source = upstream(GenerateData, { sameAs: this.model.upstreams.source });

  predictions!: Float64Array;

  @step({ next: "end" })
  start() {
    this.predictions = this.model.data.modeler.predict(this.source.data.predictRows);
  }

  @step()
  end() {}
}
