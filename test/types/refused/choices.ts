import { choose, Flow, step } from "@millrace/core";

export class Bad extends Flow {
  mode!: "x" | "y" | "z";
  n!: number;

  // @ts-expect-error 2741 Property 'z' is missing in type '{ x: "end"; y: "end"; }' but required in type 'CasesOf<Bad, "mode">'.
  @choose({ on: "mode", next: { x: "end", y: "end" } })
  caseLeftOut() {}

  // @ts-expect-error 2322 Type '"edn"' is not assignable to type 'StepName<Bad>'.
  @choose({ on: "mode", next: { x: "end", y: "end", z: "edn" } })
  misspelt() {}

  // @ts-expect-error 2353 Object literal may only specify known properties, and 'w' does not exist in type 'CasesOf<Bad, "mode">'.
  @choose({ on: "mode", next: { x: "end", y: "end", z: "end", w: "end" } })
  caseTooMany() {}

  // @ts-expect-error 2322 Type '"n"' is not assignable to type '"mode"'.
  @choose({ on: "n", next: {} })
  onNumber() {}

  @step()
  end() {}
}
