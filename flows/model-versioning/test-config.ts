import type { Settings } from "./common.ts";

/** Small settings: the whole story in seconds, by the same steps as the full run. */
export const testConfig: Settings = {
  rows: { synthetic: 400, flights: 3_000 },
  predictFraction: 0.2,
  testFraction: 0.2,
  folds: 2,
  contenders: [
    { model: ["RandomForest"], "init.iterations": [12], "init.maxDepth": [4, 8], "init.minSamples": [15] },
    {
      model: ["GradientBoosting"],
      "init.iterations": [60],
      "init.learningRate": [0.05, 0.1],
      "init.maxDepth": [3],
      "init.minSamples": [20],
      "init.sampleFraction": [0.7],
    },
  ],
};
