import { Flow, param, step, upstream, z } from "@millrace/core";
import Train from "./train.ts";
import { WordCount } from "./words.ts";

export default class Predict extends Flow {
  readonly model = upstream(Train);
  readonly text = param(z.string().default("the mill and the wheel"));

  score!: number;

  @step({ next: "end" })
  start() {
    const entries = this.model.data.model;
    if (!entries.every((entry) => entry instanceof WordCount)) throw new Error("the class was lost");
    this.score = entries.reduce((sum, entry) => sum + (this.text.includes(entry.word) ? entry.count : 0), 0);
  }

  @step()
  end() {
    console.log(`predicted: ${this.score} from ${this.model.data.model.map((entry) => entry.label()).join(", ")}`);
  }
}
