import { artifact, choose, Flow, type Inputs, join, param, step, z } from "@millrace/core";

/** Joins that fan out, joins that choose, every kind of iterable, an asynchronous step, members that are no steps. */
export class Wide extends Flow {
  readonly n = param(z.coerce.number().int().min(1).default(3), { short: "n" });
  readonly mode = param(z.enum(["fast", "full"]).default("fast"));
  readonly strict = param(z.stringbool().default(false), { hidden: true });
  items!: string[];
  scores = artifact(z.array(z.number()));
  folds!: Set<number>;
  stream!: AsyncIterable<{ id: number }>;
  decision!: "again" | "done";
  sum!: number;
  table!: Float64Array;
  bytes?: Buffer;
  report?: string;
  flag!: boolean;
  #cache = new Map<string, number>();

  @step({ next: "each", foreach: "items", maxParallel: 2 })
  start() {
    this.items = ["a"];
    if (this.mode === "full") this.items.push("b");
  }

  @step({ next: "gather", shared: ["table", "bytes"] })
  each(item: string, index: number) {
    this.sum = item.length + index + this.n;
  }

  @join({ next: "again", foreach: "scores" })
  gather(inputs: Inputs<Wide>) {
    this.scores = inputs.map((input) => input.sum);
  }

  @step({ next: "decide" })
  again(score: number) {
    this.sum = score;
  }

  @choose({ join: true, on: "decision", next: { again: "loop", done: "fork" } })
  decide(inputs: Inputs<Wide>) {
    this.sum = inputs.length;
    this.decision = this.sum > 3 ? "again" : "done";
  }

  @choose({ on: "decision", next: { again: "openFolds", done: "fork" } })
  loop() {
    this.decision = "done";
  }

  @step({ next: "oneFold", foreach: "folds" })
  openFolds() {
    this.folds = new Set([1]);
  }

  @step({ next: "closeFolds" })
  oneFold(fold: number) {
    this.sum = fold;
  }

  @join({ next: "fork" })
  closeFolds() {}

  @step({ next: ["left", "right"] })
  fork() {}

  @step({ next: "meet" })
  left() {
    this.report = "left";
  }

  @step({ next: "fromStream", foreach: "stream" })
  right() {}

  @step({ next: "closeStream" })
  fromStream(row: { id: number }) {
    this.sum = row.id;
  }

  @join({ next: "meet" })
  closeStream(inputs: Inputs<Wide>) {
    this.sum = inputs[0]?.sum ?? 0;
  }

  @join({ next: "end" })
  async meet(inputs: Inputs<Wide>) {
    this.report = inputs.left.report ?? "";
    this.sum = inputs.closeStream.sum;
    this.mergeArtifacts(inputs, { exclude: ["flag"] });
    this.mergeArtifacts(inputs, { include: ["flag"] });
    this.mergeArtifacts(inputs);
    await Promise.resolve();
  }

  @step()
  end() {}

  get double() {
    return this.sum * 2;
  }

  helper(size: number) {
    this.#cache.set("a", size);
    return size;
  }
}

/** A choice by a boolean and by numbers. */
export class Choices extends Flow {
  isGood!: boolean;
  level!: 1 | 2;

  @choose({ on: "isGood", next: { true: "grade", false: "end" } })
  start() {
    this.isGood = true;
  }

  @choose({ on: "level", next: { 1: "end", 2: "end" } })
  grade() {
    this.level = 1;
  }

  @step()
  end() {}
}
