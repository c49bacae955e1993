import { fakeClock, runFlow, runStep } from "@millrace/core/testing";
import type { Contender } from "./common.ts";
import Predict from "./predict.ts";
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

export async function flows(): Promise<readonly unknown[]> {
  const clock = fakeClock({ start: new Date(0) });
  const trained = await runFlow(Train, { upstreams: { source: { trainRows: [] } }, clock, with: ["retry=1"] });
  const succeeded: "succeeded" = trained.status;
  const score: number = trained.data.score;
  const perhaps = await runFlow(Train, { allowFailure: true });
  const status: "succeeded" | "failed" | "cancelled" = perhaps.status;
  const step: "start" | "evaluate" | "pickBest" | "end" | undefined = perhaps.tasks[0]?.step;
  await clock.advance("1m");
  const chained = await runFlow(Predict, { upstreams: { model: trained.data } });
  return [succeeded, score, status, step, perhaps.data.score?.toFixed(), chained.data.predictions.length];
}
