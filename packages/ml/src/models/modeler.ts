/**
 * From a contender (one point of a search space) to a fitted model, in one of two modes: `test` finds out how many
 * iterations are best on held-out rows, `train` uses the number that was found to learn from all rows.
 */
import { storable } from "@millrace/core";
import type { FeatureMatrix } from "../features/feature-matrix.ts";
import { MlError } from "../ml-error.ts";
import type { Parameters, ParameterValue } from "../search/explode-parameters.ts";
import { findModel, type Model } from "./model.ts";

/** `test`: the best number of iterations is found on validation rows. `train`: it is given. */
export type ModelerMode = "test" | "train";

/** What a modeler is made from. */
export interface ModelerOptions {
  /** `model`, `init.X` and `fit.Y`, as `explodeParameters` gives them. */
  readonly contender: Parameters;
  readonly mode: ModelerMode;
  /** Needed in mode `train`, refused in mode `test`: as found by a modeler in mode `test`. At least 1; rounded. */
  readonly iterations?: number;
}

/**
 * Fits the model that a contender describes and predicts with it.
 *
 * @example
 * const tested = await new Modeler({ contender, mode: "test" }).fit(features, target, { validation });
 * const final = await new Modeler({ contender, mode: "train", iterations: tested.iterations! }).fit(all, allTargets);
 * const predictions = await final.predict(fresh);
 */
@storable({ name: "millrace.Modeler", version: 1 })
export class Modeler {
  readonly contender: Parameters;
  readonly mode: ModelerMode;
  /** Given in mode `train`; found by `fit` in mode `test`. */
  iterations: number | undefined;
  /** Undefined before fitting. */
  model: Model | undefined;

  /** @throws MlError ML_MODELER_ITERATIONS_MISSING, ML_MODEL_UNKNOWN, ML_MODEL_BAD_HYPERPARAMETERS */
  constructor(options: ModelerOptions) {
    const { contender, mode, iterations } = options;
    findModel(contender.model);
    splitParameters(contender);
    if (mode === "train" && (iterations === undefined || !(iterations >= 1))) {
      throw new MlError(
        "ML_MODELER_ITERATIONS_MISSING",
        `Cannot make a modeler in mode "train": "iterations" is ${iterations}`,
        'pass the "iterations" of a modeler that was fitted in mode "test"',
      );
    }
    if (mode === "test" && iterations !== undefined) {
      throw new MlError(
        "ML_MODEL_BAD_HYPERPARAMETERS",
        'Cannot give "iterations" in mode "test": it is what this mode finds out',
        'use "init.iterations" for the largest number',
      );
    }
    this.contender = { ...contender };
    this.mode = mode;
    this.iterations = iterations === undefined ? undefined : Math.round(iterations);
    this.model = undefined;
  }

  /** Name of the model. */
  get modelName(): string {
    return String(this.contender.model);
  }

  /**
   * Fits the model. The contender is left as it is.
   *
   * @param features  what to learn from
   * @param target  one value a row
   * @param options.validation  held-out rows for mode `test`; without them `init.iterations` is used as it is
   * @throws MlError ML_MODEL_BAD_HYPERPARAMETERS, ML_MODEL_BAD_SHAPE, ML_MODEL_TOO_LARGE
   */
  async fit(
    features: FeatureMatrix,
    target: Float64Array,
    options: { readonly validation?: { readonly features: FeatureMatrix; readonly target: Float64Array } } = {},
  ): Promise<this> {
    const { init, fit } = splitParameters(this.contender);
    const fitModel = findModel(this.contender.model);
    const isTest = this.mode === "test";
    this.model = await fitModel({
      features,
      target,
      init: isTest ? init : { ...init, iterations: this.iterations! },
      fit,
      ...(isTest && options.validation !== undefined ? { validation: options.validation } : {}),
    });
    this.iterations = this.model.iterations;
    return this;
  }

  /**
   * One prediction a row, in units of the target.
   *
   * @throws MlError ML_MODELER_NOT_FITTED, ML_MODEL_BAD_SHAPE
   */
  async predict(features: FeatureMatrix): Promise<Float64Array> {
    if (this.model === undefined)
      throw new MlError("ML_MODELER_NOT_FITTED", "Cannot predict before fitting", "call fit() first");
    return this.model.predict(features);
  }
}

interface SplitParameters {
  readonly init: Readonly<Record<string, ParameterValue>>;
  readonly fit: Readonly<Record<string, ParameterValue>>;
}

function splitParameters(contender: Parameters): SplitParameters {
  const init: Record<string, ParameterValue> = {};
  const fit: Record<string, ParameterValue> = {};
  const unknown: string[] = [];
  for (const [key, value] of Object.entries(contender)) {
    if (key === "model") continue;
    if (key.startsWith("init.")) init[key.slice("init.".length)] = value;
    else if (key.startsWith("fit.")) fit[key.slice("fit.".length)] = value;
    else unknown.push(`"${key}"`);
  }
  if (unknown.length === 0) return { init, fit };
  throw new MlError(
    "ML_MODEL_BAD_HYPERPARAMETERS",
    `Cannot read the contender: ${unknown.join(", ")} is neither "model" nor "init.X" nor "fit.Y"`,
  );
}
