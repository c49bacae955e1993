import { Flow, step, upstream } from "@millrace/core";
import Many from "./many.ts";

/** Reads what a run of Many has left. */
export default class ManyReader extends Flow {
  readonly source = upstream(Many);
  read!: number;

  @step({ next: "end" })
  start() {
    this.read = this.source.data.count;
  }

  @step()
  end() {}
}
