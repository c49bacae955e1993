import { Flow, resume, run, runs, step } from "@millrace/core";
import type { Contender, Modeler } from "./common.ts";
import { GenericChild } from "./inheritance.ts";
import Predict from "./predict.ts";
import Train from "./train.ts";
import { Wide } from "./wide.ts";

export async function client() {
  const found = await runs(Train).latest({ tags: ["prod:v1"], status: "succeeded" });
  const modeler: Modeler = await found.data.modeler;
  const configuration: "config" | "test_config" = await found.data.configuration;
  const source = await found.upstreams.source;
  const rows = await source.data.trainRows;
  for await (const task of found.step("evaluate").tasks) (await task.data.score).toFixed();
  for await (const other of runs(Train).where({ params: { configuration: "config" }, limit: 3 })) void other.id;
  const untyped = await runs<Train>("Train").get(17);
  const contender: Contender = await untyped.data.contender;
  const prediction = await run(Predict, { upstreams: { model: { tags: ["prod:v1"] }, source } });
  for await (const event of run(Train, { params: { configuration: "test_config" }, tags: ["test:v1"] }))
    if (event.kind === "task.retrying") event.error.message.at(event.nextAttempt);
    else if (event.kind === "run.finished") event.record.artifacts.map(({ digest }) => digest);
  const byFile = await run<Train>("./train.ts", { params: { configuration: "config" } });
  const byUrl = await run<Train>(new URL("file:///flows/train.ts"));
  const resumed = await resume<Train>("Train/17", {
    from: "evaluate",
    params: { configuration: "config" },
    tags: ["b"],
  });
  const again = await resume(found, { changed: true, upstreams: { source } });
  const generic = await runs(GenericChild).latest();
  const ids: string[] = (await generic.data.rows).map((row) => row.id);
  return {
    modeler,
    configuration,
    rows,
    contender,
    ids,
    scores: [byFile.data.score, byUrl.data.score, resumed.data.score, again.data.score],
    predictions: await prediction.data.predictions,
  };
}

/** A flow inside a step. */
export class Outer extends Flow {
  answer!: number;
  child!: string;

  @step()
  async start() {
    const child = await run(Wide, { params: { n: 5, mode: "full" }, tags: ["sub"], signal: this.signal });
    this.answer = await child.data.sum;
    this.child = child.id;
  }
}
