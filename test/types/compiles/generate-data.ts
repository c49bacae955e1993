import { Flow, param, step, z } from "@millrace/core";
import type { Row } from "./common.ts";

export default class GenerateData extends Flow {
  readonly configuration = param(z.enum(["config", "test_config"]).default("config"));
  trainRows!: Row[];
  predictRows!: Row[];

  @step({ next: "end" })
  start() {
    this.trainRows = [{ x: new Float64Array(2), y: 1 }];
    this.predictRows = [];
  }

  @step()
  end() {}
}
