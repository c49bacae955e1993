import { Flow, type Inputs, join, param, step, type TaskFailure, upstream, z } from "@millrace/core";
import GenerateData from "../compiles/generate-data.ts";

export class Bad extends Flow {
  readonly cfg = param(z.enum(["a", "b"]).default("a"));
  readonly data = upstream(GenerateData);
  xs!: number[];
  n!: number;

  // @ts-expect-error 2322 Type '"trian"' is not assignable to type 'readonly NextStep<Bad>[] | NextStep<Bad> | undefined'.
  @step({ next: "trian" })
  misspelt() {}

  // @ts-expect-error 2322 Type 'string' is not assignable to type 'never'.
  @step({ next: "end", shared: ["xs"] })
  sharedList() {}

  // @ts-expect-error 2322 Type '"n"' is not assignable to type 'readonly NextStep<Bad>[] | NextStep<Bad> | undefined'.
  @step({ next: "n" })
  toField() {}

  // @ts-expect-error 2322 Type '"itm"' is not assignable to type 'NextStep<Bad>'.
  @step({ next: ["end", "itm"] })
  misspeltInList() {}

  // @ts-expect-error 2322 Type '"item"' is not assignable to type 'NextStep<Bad>'.
  @step({ next: ["end", "item"] })
  takerInList() {}

  // @ts-expect-error 2322 Type '"item"' is not assignable to type 'readonly NextStep<Bad>[] | NextStep<Bad> | undefined'.
  @step({ next: "item" })
  takerWithoutForeach() {}

  // @ts-expect-error 2322 Type '"xss"' is not assignable to type '"xs"'.
  @step({ next: "item", foreach: "xss" })
  misspeltForeach() {}

  // @ts-expect-error 2322 Type '"n"' is not assignable to type '"xs"'.
  @step({ next: "item", foreach: "n" })
  foreachOverNumber() {}

  // @ts-expect-error 2322 Type '"wrong"' is not assignable to type 'readonly StepTaking<Bad, number>[] | StepTaking<Bad, number> | undefined'.
  @step({ next: "wrong", foreach: "xs" })
  wrongItem() {}

  // @ts-expect-error 2322 Type '"gather"' is not assignable to type 'readonly StepTaking<Bad, number>[] | StepTaking<Bad, number> | undefined'.
  @step({ next: "gather", foreach: "xs" })
  foreachIntoJoin() {}

  // @ts-expect-error 2322 Type '"wrong"' is not assignable to type 'readonly StepTaking<Bad, number>[] | StepTaking<Bad, number> | undefined'.
  @join({ next: "wrong", foreach: "xs" })
  joinWrongItem(_inputs: Inputs<Bad>) {}

  // @ts-expect-error 2322 Type '"edn"' is not assignable to type 'readonly NextStep<Bad>[] | NextStep<Bad> | undefined'.
  @join({ next: "edn" })
  joinMisspelt(_inputs: Inputs<Bad>) {}

  // @ts-expect-error 2322 Type '"10 mins"' is not assignable to type '`${number}d` | `${number}h` | `${number}m` | `${number}ms` | `${number}s` | undefined'.
  @step({ next: "end", timeout: "10 mins" })
  badDuration() {}

  // @ts-expect-error 2561 but 'retrys' does not exist in type
  @step({ next: "end", retrys: 2 })
  misspeltOption() {}

  // @ts-expect-error 1241 is not assignable to parameter of type 'StepContext<Flow>'.
  @step({ next: "end" })
  static onStatic() {}

  // @ts-expect-error 1241 is not assignable to parameter of type 'StepContext<Bad>'.
  @step({ next: "end" })
  #onPrivate() {}

  // @ts-expect-error 1241 is not assignable to parameter of type 'StepContext<Bad>'.
  @step({ next: "end" })
  get onGetter() {
    return this.#onPrivate;
  }

  // @ts-expect-error 1240 Argument of type 'undefined' is not assignable to parameter of type '(this: Bad, ...a: any[]) => unknown'.
  @step({ next: "end" })
  onField = () => {};

  @step({ next: "end" })
  item(x: number) {
    this.n = x;
    // @ts-expect-error 2540 Cannot assign to 'cfg' because it is a read-only property.
    this.cfg = "b";
    // @ts-expect-error 2540 Cannot assign to 'data' because it is a read-only property.
    this.data = upstream(GenerateData);
  }

  @step({ next: "end" })
  wrong(x: string) {
    // @ts-expect-error 2367 This comparison appears to be unintentional because the types '"a" | "b"' and '"c"' have no overlap.
    if (this.cfg === "c") console.log(x);
  }

  @join({ next: "end" })
  gather(_inputs: Inputs<Bad>) {}

  @step()
  end() {}
}

export class BadBehaviour extends Flow {
  readonly conf = param(z.object({ retries: z.number() }));
  failure?: TaskFailure;
  other!: string;

  // @ts-expect-error 2339 Property 'retrys' does not exist on type '{ retries: number; }'.
  @step({ next: "end", retry: (flow) => flow.conf.retrys })
  start() {}

  // @ts-expect-error 2322 Type '"other"' is not assignable to type '"failure"'.
  @step({ next: "end", catch: "other" })
  intoString() {}

  // @ts-expect-error 2322 Type '"failur"' is not assignable to type '"failure"'.
  @step({ catch: "failur" })
  end() {}
}
