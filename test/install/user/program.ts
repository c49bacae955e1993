import { FlowError, run, runs } from "@millrace/core";
import type Predict from "./predict.ts";
import type Train from "./train.ts";
import { WordCount } from "./words.ts";

const trained = await runs<Train>("Train").latest({ tags: ["prod:v1"] });
const model = await trained.data.model;
const label: string = model[0]!.label();
if (!(model[0] instanceof WordCount)) throw new Error("the class was lost");
// @ts-expect-error: it is a number
const wrong: string = await (await runs<Predict>("Predict").latest()).data.score;
try {
  const finished = await run<Train>("./train.ts", { params: { top: 1 }, tags: ["prod:v2"] });
  console.log(`program: ${(await finished.data.model).length} of ${label} ${typeof wrong}`);
} catch (error) {
  console.log(error instanceof FlowError ? error.code : error);
  process.exitCode = 1;
}
