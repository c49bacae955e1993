/**
 * Reusable parts for flows that train models: data, search spaces, features, models, plots.
 *
 * Everything is deterministic: what draws takes a seed, and equal inputs give equal bytes. Models and feature engineers
 * are storable, so a step may keep them and another run may predict with them.
 */

import "./codecs/built-in.ts";

export { registerModelCodec } from "./codecs/codec-registry.ts";
export type { SafeTensor, SafeTensorsContent, TensorData, TensorType } from "./codecs/formats/safetensors-format.ts";
export { readSafetensors, writeSafetensors } from "./codecs/formats/safetensors-format.ts";
export type { LibraryVersion } from "./codecs/library.ts";
export type {
  ModelCodec,
  ModelFacts,
  ModelFiles,
  ModelLibrary,
  ModelSignature,
  SavedModel,
  SignaturePart,
} from "./codecs/model-codec.ts";
export { modelJson, parseModelJson } from "./codecs/model-json.ts";
export { type OnnxModel, type OnnxTensor, onnxCodec } from "./codecs/onnx.ts";
export { SafeTensors } from "./codecs/safetensors.ts";
export { type StoreModelOptions, storeModel } from "./codecs/store-model.ts";
export { storeTable } from "./codecs/store-table.ts";
export {
  type LoadOptions,
  type ModelFile,
  type ModelInspection,
  type ModelProbe,
  StoredModel,
} from "./codecs/stored-model.ts";
export { tableInputs } from "./codecs/table-inputs.ts";
export {
  type ContenderResult,
  type FoldResult,
  rankContenders,
  rankingText,
  summariseFolds,
} from "./contenders/contender-result.ts";
export { type MakeRegressionOptions, makeRegression, type RegressionProblem } from "./data/make-regression.ts";
export {
  type ParquetSelection,
  parquetFacts,
  parquetRowGroups,
  type RowGroup,
  sampleParquet,
  sampleRows,
} from "./data/parquet.ts";
export { type Fold, kFold, type TrainTestSplit, trainTestSplit } from "./data/split.ts";
export {
  type Column,
  categoryColumn,
  concatRows,
  numericColumn,
  rowCount,
  type Table,
  takeRows,
} from "./data/table.ts";
export { type FeatureColumns, FeatureEngineer } from "./features/feature-engineer.ts";
export { type FeatureMatrix, takeMatrixRows } from "./features/feature-matrix.ts";
export { MlError, type MlErrorCode } from "./ml-error.ts";
export { GradientBoosting } from "./models/gradient-boosting.ts";
export { type FitRequest, type Model, type ModelFitter, registerModel } from "./models/model.ts";
export { Modeler, type ModelerMode, type ModelerOptions } from "./models/modeler.ts";
export { RandomForest } from "./models/random-forest.ts";
export { type HtmlPageOptions, htmlPage } from "./plots/html-page.ts";
export { type PredictedVsTrueOptions, plotPredictedVsTrue } from "./plots/predicted-vs-true.ts";
export { type ContenderScores, plotScores, type ScoresOptions } from "./plots/scores.ts";
export { deriveSeed, type SeededRandom, seededRandom } from "./random.ts";
export { type Distribution, isDistribution, loguniform, randint, uniform } from "./search/distribution.ts";
export {
  explodeParameters,
  type ParameterSpec,
  type Parameters,
  type ParameterValue,
} from "./search/explode-parameters.ts";
export { mean, r2, standardError } from "./statistics.ts";
