import { Flow, param, step } from "@millrace/core";
import * as zod from "zod";

/** Schemas of the project's own copy of zod. */
export default class OwnZod extends Flow {
  readonly count = param(zod.coerce.number().int().min(1).default(3), { short: "n" });
  readonly mode = param(zod.enum(["fast", "exact"]).default("fast").describe("How to count"));
  readonly since = param(
    zod
      .codec(zod.iso.date(), zod.date(), { decode: (text) => new Date(text), encode: (date) => date.toISOString().slice(0, 10) })
      .default(new Date("2026-01-01")),
  );

  total!: number;

  @step({ next: "end" })
  start() {
    const mode: "fast" | "exact" = this.mode;
    this.total = this.count * (mode === "fast" ? 1 : 10) + this.since.getUTCDate();
  }

  @step()
  end() {
    console.log(`own zod: ${this.total}`);
  }
}
