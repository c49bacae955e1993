import { FlowError, run, z } from "@millrace/core";
import type Train from "./train.ts";

const finished = await run<Train>("train.ts", { params: { top: 1 }, tags: ["test:v1"] });
console.log(`program: ${(await finished.data.model).length} kept`);

const refused = await run<Train>("train.ts", { params: { top: 0 } }).then(
  () => undefined,
  (error: unknown) => error,
);
if (!(refused instanceof FlowError)) throw new Error("a wrong parameter was accepted");
console.log(`refused: ${refused.code}, ${z.string().safeParse(1).success}`);
