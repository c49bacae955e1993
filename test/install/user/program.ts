import { FlowError, run, runs } from "@millrace/core";
import type Predict from "./predict.js";
import type Train from "./train.js";

const trained = await runs<Train>("Train").latest({ tags: ["prod:v1"] });
const model = await trained.data.model;
const label: string = model[0]!.label();
// @ts-expect-error: it is a number
const wrong: string = await (await runs<Predict>("Predict").latest()).data.score;
try {
  const finished = await run<Train>("./train.ts", { params: { top: 1 }, tags: ["prod:v2"] });
  console.log(`program: ${(await finished.data.model).length} of ${label} ${typeof wrong}`);
} catch (error) {
  console.log(error instanceof FlowError ? error.code : error);
  process.exitCode = 1;
}
