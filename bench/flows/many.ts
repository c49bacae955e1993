import { Flow, param, step, z } from "@millrace/core";

/** A line of ten steps that records a metric, and fails at its end when it is told to: what a large store is made of. */
export default class Many extends Flow {
  readonly fail = param(z.boolean().default(false));
  count!: number;

  @step({ next: "s1" })
  start() {
    this.count = 1;
  }

  @step({ next: "s2" })
  s1() {
    this.count++;
  }

  @step({ next: "s3" })
  s2() {
    this.count++;
  }

  @step({ next: "s4" })
  s3() {
    this.count++;
  }

  @step({ next: "s5" })
  s4() {
    this.count++;
  }

  @step({ next: "s6" })
  s5() {
    this.count++;
  }

  @step({ next: "s7" })
  s6() {
    this.count++;
  }

  @step({ next: "s8" })
  s7() {
    this.count++;
  }

  @step({ next: "end" })
  s8() {
    this.count++;
  }

  @step()
  end() {
    if (this.fail) throw new Error("told to fail");
    this.log.metric("score", 0);
  }
}
