import { Flow, type Inputs, join, param, step, z } from "@millrace/core";

export abstract class Base extends Flow {
  readonly seed = param(z.coerce.number().default(1));
  rows!: number[];

  @step({ next: "work" })
  start() {
    this.rows = [this.seed];
  }

  abstract work(): void | Promise<void>;

  @step()
  end() {}
}

export class Child extends Base {
  readonly extra = param(z.string().default("x"));
  total!: number;

  @step({ next: "end" })
  work() {
    this.total = this.rows.length + this.extra.length;
  }

  @step()
  override end() {
    super.end();
  }
}

export abstract class JoinBase extends Flow {
  total!: number;
  xs!: number[];

  @step({ next: "work", foreach: "xs" })
  start() {
    this.xs = [1];
  }

  abstract work(x: number): void;

  @join({ next: "end" })
  gather(inputs: Inputs<JoinBase>) {
    this.total = inputs.length;
  }

  @step()
  end() {}
}

export class JoinChild extends JoinBase {
  more!: string;

  @step({ next: "gather" })
  work(x: number) {
    this.total = x;
  }

  @join({ next: "end" })
  override gather(inputs: Inputs<JoinChild>) {
    super.gather(inputs);
    this.more = inputs[0]?.more ?? "";
  }
}

export abstract class Generic<R> extends Flow {
  rows!: R[];
  row!: R;

  abstract load(): Promise<R[]>;

  @step({ next: "one", foreach: "rows" })
  async start() {
    this.rows = await this.load();
  }

  @step({ next: "all" })
  one(row: R) {
    this.row = row;
  }

  @join({ next: "end" })
  all(inputs: Inputs<Generic<R>>) {
    this.rows = inputs.map((input) => input.row);
  }

  @step()
  end() {}
}

export class GenericChild extends Generic<{ id: string }> {
  async load() {
    return [{ id: "a" }];
  }
}
