/**
 * Reusable parts for flows that train models: data, search spaces, features, models, plots.
 *
 * Everything is deterministic: what draws takes a seed, and equal inputs give equal bytes. Models and feature engineers
 * are storable, so a step may keep them and another run may predict with them.
 */
export { MlError, type MlErrorCode } from "./ml-error.ts";
export { deriveSeed, type SeededRandom, seededRandom } from "./random.ts";
export { mean, r2, standardError } from "./statistics.ts";

export { makeRegression, type MakeRegressionOptions, type RegressionProblem } from "./data/make-regression.ts";
export { type Cell, type ParquetSelection, parquetFacts, parquetRowGroups, type RowGroup, sampleParquet, sampleRows } from "./data/parquet.ts";
export { type Fold, kFold, type TrainTestSplit, trainTestSplit } from "./data/split.ts";
export { categoryColumn, type Column, concatRows, numericColumn, rowCount, type Table, takeRows } from "./data/table.ts";

export { type Distribution, isDistribution, loguniform, randint, uniform } from "./search/distribution.ts";
export { explodeParameters, type Parameters, type ParameterSpec, type ParameterValue } from "./search/explode-parameters.ts";

export { FeatureEngineer, type FeatureColumns } from "./features/feature-engineer.ts";
export { type FeatureMatrix, takeMatrixRows } from "./features/feature-matrix.ts";

export { GradientBoosting } from "./models/gradient-boosting.ts";
export { type FitRequest, type Model, type ModelFitter, registerModel } from "./models/model.ts";
export { Modeler, type ModelerMode, type ModelerOptions } from "./models/modeler.ts";
export { RandomForest } from "./models/random-forest.ts";

export { htmlPage, type HtmlPageOptions } from "./plots/html-page.ts";
export { plotPredictedVsTrue, type PredictedVsTrueOptions } from "./plots/predicted-vs-true.ts";
export { type ContenderScores, plotScores, type ScoresOptions } from "./plots/scores.ts";
