/** The search spaces of this example: each is a list of spaces, tried one after the other. */
import { loguniform, type ParameterSpec, randint, uniform } from "@millrace/ml";

/** How much to do, and what to try. */
export interface SelectionSettings {
  readonly rows: number;
  readonly folds: number;
  readonly contenders: readonly ParameterSpec[];
}

/** Every combination of the values listed. */
export const gridConfig: SelectionSettings = {
  rows: 10_000,
  folds: 5,
  contenders: [
    { model: ["RandomForest"], "init.iterations": [50], "init.maxDepth": [5, 10], "init.maxFeatures": [0.5, 1] },
    {
      model: ["GradientBoosting"],
      "init.iterations": [150],
      "init.learningRate": [0.05, 0.1, 0.2],
      "init.maxDepth": [2, 4],
    },
  ],
};

/** Five draws for each kind of model. */
export const randomizedConfig: SelectionSettings = {
  rows: 10_000,
  folds: 5,
  contenders: [
    {
      nIter: 5,
      model: ["RandomForest"],
      "init.iterations": [50],
      "init.maxDepth": randint(3, 12),
      "init.maxFeatures": uniform(0.3, 1),
    },
    {
      nIter: 5,
      model: ["GradientBoosting"],
      "init.iterations": [150],
      "init.learningRate": loguniform(0.01, 0.3),
      "init.maxDepth": randint(2, 6),
    },
  ],
};

/** As `gridConfig`, in seconds. */
export const testGridConfig: SelectionSettings = {
  rows: 300,
  folds: 2,
  contenders: [
    { model: ["RandomForest"], "init.iterations": [8], "init.maxDepth": [4, 8] },
    { model: ["GradientBoosting"], "init.iterations": [40], "init.learningRate": [0.1, 0.3] },
  ],
};

/** As `randomizedConfig`, in seconds. */
export const testRandomizedConfig: SelectionSettings = {
  rows: 300,
  folds: 2,
  contenders: [
    { nIter: 2, model: ["RandomForest"], "init.iterations": [8], "init.maxDepth": randint(3, 9) },
    { nIter: 2, model: ["GradientBoosting"], "init.iterations": [40], "init.learningRate": loguniform(0.02, 0.3) },
  ],
};

/** The settings by their name on the command line. */
export const configurations = {
  grid_config: gridConfig,
  randomized_config: randomizedConfig,
  test_grid_config: testGridConfig,
  test_randomized_config: testRandomizedConfig,
} as const satisfies Readonly<Record<string, SelectionSettings>>;
