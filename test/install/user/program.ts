import { runs } from "@millrace/core";
import type Predict from "./predict.ts";
import type Train from "./train.ts";
import { WordCount } from "./words.ts";

const trained = await runs<Train>("Train").latest({ tags: ["prod:v1"] });
const [first] = await trained.data.model;
if (!(first instanceof WordCount)) throw new Error("the class was lost");
const label: string = first.label();
const predicted = await runs<Predict>("Predict").latest();
// @ts-expect-error: it is a number
const score: string = await predicted.data.score;
console.log(`program: ${label}, ${score}`);
