import type { RunRow } from "../metadata/metadata-store.ts";

/** A run for people, where its project is clear: `Train/17`. */
export function runName(run: Pick<RunRow, "flow" | "number">): string {
  return `${run.flow.name}/${run.number}`;
}

/** A run for people with its project in front: `shop/Train/17`. */
export function fullRunName(run: Pick<RunRow, "flow" | "number">): string {
  return `${run.flow.project}/${run.flow.name}/${run.number}`;
}
