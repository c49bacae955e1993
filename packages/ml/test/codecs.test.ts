/** Every codec of the package passes the checks for codecs, each with a model that was really trained. */

import { describe, it } from "vitest";
import { modelCodecChecks } from "../src/testing/index.ts";
import { trainedModels } from "./trained-models.ts";

describe.each(Object.entries(trainedModels))("%s", (_, subject) => {
  for (const { name, run } of modelCodecChecks(subject)) it(name, run);
});
