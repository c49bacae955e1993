import { fakeClock, runFlow, runStep } from "@millrace/core/testing";
import Train from "../compiles/train.ts";
import { Wide } from "../compiles/wide.ts";

export async function bad(): Promise<unknown> {
  return [
    // @ts-expect-error 2345 Argument of type '"evalute"' is not assignable to parameter of type 'StepName<Train>'.
    await runStep(Train, "evalute", {}),
    // @ts-expect-error 2345 Argument of type '{}' is not assignable to parameter of type 'RunStepOptions<Train, "evaluate">'.
    await runStep(Train, "evaluate", {}),
    // @ts-expect-error 2353 'item' does not exist in type 'RunStepOptions<Train, "start">'.
    await runStep(Train, "start", { item: 1 }),
    // @ts-expect-error 2741 Property 'trees' is missing in type '{ name: string; }' but required in type 'Contender'.
    await runStep(Train, "evaluate", { item: { name: "forest" } }),
    // @ts-expect-error 2561 'scor' does not exist in type 'Values<Train>'. Did you mean to write 'score'?
    await runStep(Train, "pickBest", { inputs: [{ scor: 1 }] }),
    // @ts-expect-error 2322 Type '"prod"' is not assignable to type '"config" | "test_config" | undefined'.
    await runStep(Train, "start", { params: { configuration: "prod" } }),
    // @ts-expect-error 2561 'confguration' does not exist in type 'Params<Train>'. Did you mean to write 'configuration'?
    await runStep(Train, "start", { params: { confguration: "config" } }),
    // @ts-expect-error 2561 'trainRow' does not exist in type 'Partial<Artifacts<GenerateData>>'. Did you mean to write 'trainRows'?
    await runStep(Train, "start", { upstreams: { source: { trainRow: [] } } }),
    // @ts-expect-error 2353 'sauce' does not exist in type 'UpstreamValues<Train>'.
    await runStep(Train, "start", { upstreams: { sauce: {} } }),
    // @ts-expect-error 2353 'configuration' does not exist in type 'Values<Train>'.
    await runStep(Train, "end", { inputs: { configuration: "config" } }),
    // @ts-expect-error 2345 is not assignable to parameter of type 'RunStepOptions<Train, "pickBest">'.
    await runStep(Train, "pickBest", {}),
    // @ts-expect-error 2353 'lefd' does not exist in type
    await runStep(Wide, "meet", { inputs: { lefd: {} } }),
    // @ts-expect-error 2551 Did you mean 'score'?
    (await runStep(Train, "start", {})).data.scor,
    // @ts-expect-error 2322 Type '"prod"' is not assignable to type '"config" | "test_config" | undefined'.
    await runFlow(Train, { params: { configuration: "prod" } }),
    // @ts-expect-error 2561 Did you mean to write 'trainRows'?
    await runFlow(Train, { upstreams: { source: { trainRow: [] } } }),
    // @ts-expect-error 2561 Did you mean to write 'allowFailure'?
    await runFlow(Train, { alowFailure: true }),
    // @ts-expect-error 2551 Did you mean 'score'?
    (await runFlow(Train)).data.scor,
    // @ts-expect-error 2532 Object is possibly 'undefined'.
    (await runFlow(Train, { allowFailure: true })).data.score.toFixed(),
    // @ts-expect-error 2345 Argument of type '"1 minute"' is not assignable to parameter of type
    await fakeClock().advance("1 minute"),
  ];
}
