/**
 * What a model is here, and the list of the models that a contender may name.
 *
 * A model is made by fitting and never changes afterwards, so that it can be stored, shared and compared by its bytes.
 * Each keeps its stored form (plain arrays or the library's own bytes), not the library's live object: a model that was
 * stored and read again has the same bytes and gives the same predictions, to the last bit. Libraries are loaded on
 * first use.
 */
import type { FeatureMatrix } from "../features/feature-matrix.ts";
import { MlError } from "../ml-error.ts";
import type { ParameterValue } from "../search/explode-parameters.ts";
import { GradientBoosting } from "./gradient-boosting.ts";
import { RandomForest } from "./random-forest.ts";

/** A fitted model. */
export interface Model {
  /** Number of trees or rounds that it holds. */
  readonly iterations: number;
  /** One prediction a row, in units of the target. */
  predict(features: FeatureMatrix): Promise<Float64Array>;
}

/** What a model learns from. */
export interface FitRequest {
  readonly features: FeatureMatrix;
  /** One value a row. */
  readonly target: Float64Array;
  /** Arguments of the model, as `init.X` of a contender. */
  readonly init: Readonly<Record<string, ParameterValue>>;
  /** Arguments of fitting, as `fit.Y` of a contender. */
  readonly fit: Readonly<Record<string, ParameterValue>>;
  /** Held-out rows: given, the best of a few numbers of iterations on these rows is kept. */
  readonly validation?: { readonly features: FeatureMatrix; readonly target: Float64Array };
}

/** Fits a model. */
export type ModelFitter = (request: FitRequest) => Promise<Model>;

const fitters = new Map<string, ModelFitter>([
  ["RandomForest", RandomForest.fit],
  ["GradientBoosting", GradientBoosting.fit],
]);

/**
 * Adds a model of your own to those that a contender may name. The class of the fitted model must be storable.
 *
 * @throws MlError ML_MODEL_UNKNOWN when the name is taken by another model
 */
export function registerModel(name: string, fitter: ModelFitter): void {
  const known = fitters.get(name);
  if (known !== undefined && known !== fitter)
    throw new MlError("ML_MODEL_UNKNOWN", `Cannot register model "${name}": the name is taken`);
  fitters.set(name, fitter);
}

/**
 * The fitter of a model by its name.
 *
 * @throws MlError ML_MODEL_UNKNOWN
 */
export function findModel(name: unknown): ModelFitter {
  const fitter = typeof name === "string" ? fitters.get(name) : undefined;
  if (fitter !== undefined) return fitter;
  const known = [...fitters.keys()].map((other) => `"${other}"`).join(" or ");
  throw new MlError("ML_MODEL_UNKNOWN", `Cannot find model ${JSON.stringify(name)}`, `set "model" to ${known}`);
}
