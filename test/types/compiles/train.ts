import { Flow, type Inputs, join, param, step, upstream, z } from "@millrace/core";
import { type Contender, crossValidate, explodeParameters, fitModel, type Modeler, maxBy, settings } from "./common.ts";
import GenerateData from "./generate-data.ts";

export default class Train extends Flow {
  /** Which settings to run with. */
  readonly configuration = param(z.enum(["config", "test_config"]).default("config"));
  /** --source-tag, --source-run: whose rows to learn from; the newest successful run unless told. */
  readonly source = upstream(GenerateData);

  contenders!: Contender[];
  contender!: Contender;
  score!: number;
  modeler!: Modeler;

  @step({ next: "evaluate", foreach: "contenders" })
  start() {
    this.contenders = explodeParameters(settings(this.configuration).contenders, { seed: 7 });
  }

  @step({ next: "pickBest" })
  evaluate(contender: Contender) {
    this.contender = contender;
    this.score = crossValidate(contender, this.source.data.trainRows);
  }

  @join({ next: "end" })
  pickBest(inputs: Inputs<Train>) {
    const best = maxBy(inputs, (input) => input.score);
    this.modeler = fitModel(best.contender, this.source.data.trainRows);
  }

  @step()
  end() {}
}
