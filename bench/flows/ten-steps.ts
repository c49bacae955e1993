import { Flow, step } from "@millrace/core";

/** A line of ten steps. */
export default class TenSteps extends Flow {
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
  end() {}
}
