import { resume, run, runs } from "@millrace/core";
import Predict from "../compiles/predict.ts";
import Train from "../compiles/train.ts";

export async function bad(): Promise<unknown> {
  const found = await runs(Train).latest({ tags: ["prod:v1"] });
  return [
    // @ts-expect-error 2551 Did you mean 'modeler'?
    await found.data.modeller,
    // @ts-expect-error 2339 Property 'toFixed' does not exist on type 'Promise<number>'.
    found.data.score.toFixed(),
    // @ts-expect-error 2345 Argument of type '"evalute"' is not assignable to parameter of type 'StepName<Train>'.
    found.step("evalute"),
    // @ts-expect-error 2339 Property 'sauce' does not exist on type '{ readonly source: Promise<Run<GenerateData>>; }'.
    await found.upstreams.sauce,
    // @ts-expect-error 2561 'tag' does not exist in type 'Query<Train>'. Did you mean to write 'tags'?
    await runs(Train).latest({ tag: "prod:v1" }),
    // @ts-expect-error 2322 Type '"score"' is not assignable to type '"configuration"'.
    runs(Train).where({ sort: { param: "score" } }),
    // @ts-expect-error 2345 Argument of type 'number' is not assignable to parameter of type 'string'.
    await found.metricValues(7),
    // @ts-expect-error 2322 Type '"prod"' is not assignable to type '"config" | "test_config" | undefined'.
    await runs(Train).latest({ params: { configuration: "prod" } }),
    // @ts-expect-error 2322 Type '"prod"' is not assignable to type '"config" | "test_config" | undefined'.
    run(Train, { params: { configuration: "prod" } }),
    // @ts-expect-error 2561 'confguration' does not exist in type 'Params<Train>'. Did you mean to write 'configuration'?
    run(Train, { params: { confguration: "config" } }),
    // @ts-expect-error 2353 'score' does not exist in type 'Params<Train>'.
    run(Train, { params: { score: 1 } }),
    // @ts-expect-error 2561 Did you mean to write 'model'?
    run(Predict, { upstreams: { modle: "Train/17" } }),
    // @ts-expect-error 2820 Type '"evalute"' is not assignable to type 'StepName<Train> | undefined'. Did you mean '"evaluate"'?
    resume<Train>("Train/17", { from: "evalute" }),
    // @ts-expect-error 2322 Type '"prod"' is not assignable to type '"config" | "test_config" | undefined'.
    resume(found, { params: { configuration: "prod" } }),
  ];
}

export async function badEvents(): Promise<void> {
  for await (const event of run(Train)) {
    // @ts-expect-error 2367 This comparison appears to be unintentional because the types
    if (event.kind === "task.retried") return;
    // @ts-expect-error 2339 Property 'error' does not exist on type
    if (event.kind === "task.succeeded") event.error;
  }
}
