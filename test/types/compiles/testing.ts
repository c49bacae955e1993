import { runStep } from "@millrace/core/testing";
import type { Contender } from "./common.ts";
import Train from "./train.ts";
import { Wide } from "./wide.ts";

export async function steps(contender: Contender): Promise<readonly unknown[]> {
  const evaluated = await runStep(Train, "evaluate", {
    item: contender,
    params: { configuration: "config" },
    upstreams: { source: { trainRows: [] } },
  });
  const score: number | undefined = evaluated.data.score;
  const next: readonly ("start" | "evaluate" | "pickBest" | "end")[] = evaluated.next;
  const met = await runStep(Wide, "meet", { inputs: { left: { report: "x" }, right: { sum: 1 } } });
  const list = await runStep(Train, "pickBest", { inputs: [{ score: 1, contender }], before: { contenders: [] } });
  const started = await runStep(Train, "start", {});
  return [score, next, met.choice, list.data.modeler, started.items, started.logs[0]?.text];
}
