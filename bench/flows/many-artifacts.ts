import { Flow, param, step, z } from "@millrace/core";

/** A step that leaves so many small artifacts, other ones with each seed. */
export default class ManyArtifacts extends Flow {
  readonly count = param(z.coerce.number().int().min(0).default(2000));
  readonly seed = param(z.coerce.number().int().default(1));

  @step({ next: "fill" })
  start() {}

  @step({ next: "end" })
  fill() {
    const fields = this as unknown as Record<string, unknown>;
    for (let index = 0; index < this.count; index++) fields[`value${index}`] = { seed: this.seed, index };
  }

  @step()
  end() {}
}
