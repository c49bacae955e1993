import { Flow, type Inputs, join, step } from "@millrace/core";
import type Train from "../compiles/train.ts";

export class Bad extends Flow {
  n!: number;

  // @ts-expect-error 1241 Argument of type '(_item: number) => void' is not assignable to parameter of type '(this: Bad, inputs: Inputs<Bad>) => unknown'.
  @join({ next: "end" })
  takesItem(_item: number) {}

  @join({ next: "end" })
  gather(inputs: Inputs<Bad>) {
    // @ts-expect-error 2532 Object is possibly 'undefined'.
    this.n = inputs[0].n;
    for (const input of inputs) {
      // @ts-expect-error 2540 Cannot assign to 'n' because it is a read-only property.
      input.n = 3;
      // @ts-expect-error 2339 Property 'nope' does not exist on type 'Readonly<Bad>'.
      this.n = input.nope;
    }
    // @ts-expect-error 2551 Property 'itm' does not exist on type 'Inputs<Bad>'. Did you mean 'item'?
    this.n = inputs.itm.n;
    // @ts-expect-error 2339 Property 'n' does not exist on type 'Inputs<Bad>'.
    this.n = inputs.n;
  }

  @step({ next: "gather" })
  item(x: number) {
    this.n = x;
  }

  @step()
  end() {}
}

export class BadMerge extends Flow {
  a!: number;

  @join({ next: "end" })
  merges(inputs: Inputs<BadMerge>) {
    // @ts-expect-error 2322 Type '"b"' is not assignable to type '"a"'.
    this.mergeArtifacts(inputs, { include: ["b"] });
    // @ts-expect-error 2322 Type '"a"[]' is not assignable to type 'undefined'.
    this.mergeArtifacts(inputs, { include: ["a"], exclude: ["a"] });
  }

  // @ts-expect-error 1241 Argument of type '(_inputs: Inputs<Train>) => void' is not assignable to parameter of type '(this: BadMerge | Train, inputs: Inputs<BadMerge | Train>) => unknown'.
  @join({ next: "end" })
  ofAnotherFlow(_inputs: Inputs<Train>) {}

  // @ts-expect-error 1241 Argument of type '(_inputs: Inputs<this>) => void' is not assignable to parameter of type '(this: BadMerge, inputs: Inputs<BadMerge>) => unknown'.
  @join({ next: "end" })
  ofThis(_inputs: Inputs<this>) {}

  @step()
  end() {}
}
