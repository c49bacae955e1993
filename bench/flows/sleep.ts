import { setTimeout } from "node:timers/promises";
import { Flow, param, step, z } from "@millrace/core";

/** A step that waits for something. */
export default class Sleep extends Flow {
  readonly ms = param(z.coerce.number().int().min(0).default(0));

  @step({ next: "end" })
  async start() {
    await setTimeout(this.ms);
  }

  @step()
  end() {}
}
