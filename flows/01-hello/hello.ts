import { Flow, step } from "@millrace/core";

/**
 * Two steps, one artifact. What a step sets on `this` is stored when it ends, and the next step reads it.
 *
 *     flow run hello.ts                 # Hello, millrace
 *     flow dump Hello greeting          # Hello, millrace
 */
export default class Hello extends Flow {
  greeting!: string;

  @step({ next: "end" })
  start() {
    this.greeting = "Hello, millrace";
  }

  @step()
  end() {
    console.log(this.greeting);
  }
}
