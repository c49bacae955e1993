import { Flow, step } from "@millrace/core";

/** A line of twenty steps that do nothing: what a step costs beside its commit. */
export default class Line extends Flow {
  @step({ next: "s1" })
  start() {}

  @step({ next: "s2" })
  s1() {}

  @step({ next: "s3" })
  s2() {}

  @step({ next: "s4" })
  s3() {}

  @step({ next: "s5" })
  s4() {}

  @step({ next: "s6" })
  s5() {}

  @step({ next: "s7" })
  s6() {}

  @step({ next: "s8" })
  s7() {}

  @step({ next: "s9" })
  s8() {}

  @step({ next: "s10" })
  s9() {}

  @step({ next: "s11" })
  s10() {}

  @step({ next: "s12" })
  s11() {}

  @step({ next: "s13" })
  s12() {}

  @step({ next: "s14" })
  s13() {}

  @step({ next: "s15" })
  s14() {}

  @step({ next: "s16" })
  s15() {}

  @step({ next: "s17" })
  s16() {}

  @step({ next: "s18" })
  s17() {}

  @step({ next: "end" })
  s18() {}

  @step()
  end() {}
}
