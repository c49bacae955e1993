import { loguniform, randint } from "@millrace/ml";
import type { Settings } from "./common.ts";

/** The settings of a run that counts: a minute or so on the flights, less on synthetic data. */
export const config: Settings = {
  rows: { synthetic: 1_000, flights: 10_000 },
  predictFraction: 0.2,
  testFraction: 0.2,
  folds: 4,
  contenders: [
    { model: ["RandomForest"], "init.iterations": [60], "init.maxDepth": [6, 10], "init.maxSamples": [300] },
    {
      nIter: 4,
      model: ["GradientBoosting"],
      "init.iterations": [200],
      "init.learningRate": loguniform(0.02, 0.2),
      "init.maxDepth": randint(2, 6),
      "init.minSamples": [20],
      "init.sampleFraction": [0.6, 0.8],
    },
  ],
};
