import { setTimeout } from "node:timers/promises";
import { Flow, param, step, z } from "@millrace/core";

/** A step that waits, and says how much CPU the whole process took meanwhile. */
export default class Sleep extends Flow {
  readonly ms = param(z.coerce.number().int().min(0).default(0));
  /** What comes with a beginning is over by then. */
  readonly settleMs = param(z.coerce.number().int().min(0).default(0));

  @step({ next: "end" })
  async start() {
    await setTimeout(this.settleMs);
    const before = process.cpuUsage();
    await setTimeout(this.ms);
    const { user, system } = process.cpuUsage(before);
    console.log(`waited with ${(user + system) / 1_000} ms of CPU`);
  }

  @step()
  end() {}
}
