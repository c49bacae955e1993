import { Flow, type Inputs, join, param, step, z } from "@millrace/core";

/** One large array that a line of ten steps and ten tasks of a foreach read; each prints how long its reading took. */
export default class ArrayReaders extends Flow {
  readonly size = param(z.coerce.number().int().min(1).default(12_500_000));
  data!: Float64Array;
  items!: number[];
  sum!: number;

  @step({ next: "s1" })
  start() {
    this.data = new Float64Array(this.size).map((_, index) => index * 1.000_000_123);
  }

  @step({ next: "s2" })
  s1() {
    this.sum = read(() => this.data);
  }

  @step({ next: "s3" })
  s2() {
    this.sum = read(() => this.data);
  }

  @step({ next: "s4" })
  s3() {
    this.sum = read(() => this.data);
  }

  @step({ next: "s5" })
  s4() {
    this.sum = read(() => this.data);
  }

  @step({ next: "s6" })
  s5() {
    this.sum = read(() => this.data);
  }

  @step({ next: "s7" })
  s6() {
    this.sum = read(() => this.data);
  }

  @step({ next: "s8" })
  s7() {
    this.sum = read(() => this.data);
  }

  @step({ next: "s9" })
  s8() {
    this.sum = read(() => this.data);
  }

  @step({ next: "s10" })
  s9() {
    this.sum = read(() => this.data);
  }

  @step({ next: "work", foreach: "items" })
  s10() {
    this.sum = read(() => this.data);
    this.items = Array.from({ length: 10 }, (_, index) => index);
  }

  @step({ next: "end" })
  work(_item: number) {
    this.sum = read(() => this.data);
  }

  @join()
  end(_inputs: Inputs<ArrayReaders>) {}
}

function read(load: () => Float64Array): number {
  const begin = performance.now();
  const data = load();
  const last = data[data.length - 1]!;
  console.log(`read in ${(performance.now() - begin).toFixed(2)} ms`);
  return last;
}
