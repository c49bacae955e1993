/**
 * Gradient boosting for regression by XGBoost, compiled to WebAssembly (`ml-xgboost`). A fitted model keeps the bytes
 * that the library writes and nothing else; they are read into the library for each call of `predict` and freed after
 * it, because nothing collects memory there. That takes about as long as predicting a few hundred rows.
 */
import { createRequire } from "node:module";
import { storable } from "@millrace/core";
import { quietRequire } from "../codecs/quiet-require.ts";
import { checkShape, type FeatureMatrix, matrixRows } from "../features/feature-matrix.ts";
import { MlError } from "../ml-error.ts";
import { mean } from "../statistics.ts";
import { type HyperparameterRule, readHyperparameters } from "./hyperparameters.ts";
import type { FitRequest, Model } from "./model.ts";
import { DEFAULT_STAGES, meanSquaredError, stageCounts } from "./stages.ts";

/** Arguments as `init.X`; XGBoost's own name stands behind each. */
const INIT = {
  /** Number of rounds. */
  iterations: { default: 100, min: 1, isInteger: true },
  /** eta */
  learningRate: { default: 0.1, min: 0.0001, max: 1 },
  /** max_depth */
  maxDepth: { default: 4, min: 1, max: 16, isInteger: true },
  /** min_child_weight: a leaf holds at least so many rows. */
  minSamples: { default: 5, min: 0 },
  /** subsample: share of the rows that a round looks at. */
  sampleFraction: { default: 1, min: 0.01, max: 1 },
  /** colsample_bytree: share of the columns that a round looks at. */
  featureFraction: { default: 1, min: 0.01, max: 1 },
  seed: { default: 0, min: 0, max: 0x7fffffff, isInteger: true },
} as const satisfies Record<string, HyperparameterRule>;

const FIT = { stages: { default: DEFAULT_STAGES, min: 1, isInteger: true } } as const satisfies Record<
  string,
  HyperparameterRule
>;

/** The rows are handed over on the library's stack of 5 MiB, four bytes a number; beyond that it would end the process. */
const MAX_NUMBERS = 1_250_000;

/**
 * A fitted model of gradient-boosted trees.
 *
 * @example const model = await GradientBoosting.fit({ features, target, init: { learningRate: 0.1 }, fit: {} });
 */
@storable({ name: "millrace.GradientBoosting", version: 1 })
export class GradientBoosting implements Model {
  /** Number of features that it has learnt from. */
  readonly columns: number;
  /** Number of rounds. */
  readonly iterations: number;
  /** The model as XGBoost writes it. */
  readonly bytes: Uint8Array;

  constructor(model: Pick<GradientBoosting, "columns" | "iterations" | "bytes">) {
    this.columns = model.columns;
    this.iterations = model.iterations;
    this.bytes = model.bytes;
  }

  /**
   * Fits a model. With validation rows, models of `fit.stages` (4) numbers of rounds are fitted and the best is kept.
   *
   * @throws MlError ML_MODEL_BAD_HYPERPARAMETERS, ML_MODEL_BAD_SHAPE, ML_MODEL_TOO_LARGE
   */
  static async fit(request: FitRequest): Promise<GradientBoosting> {
    const init = readHyperparameters("GradientBoosting init", request.init, INIT);
    const { stages } = readHyperparameters("GradientBoosting fit", request.fit, FIT);
    checkLearnable(request);
    const library = await loadLibrary();
    const rows = matrixRows(request.features);
    const target = Array.from(request.target);
    const fitOnce = (iterations: number): GradientBoosting => {
      const booster = new library({
        objective: "reg:linear",
        base_score: mean(target), // the first guess; the library's own is 0.5, whatever the unit of the target
        iterations,
        eta: init.learningRate,
        max_depth: init.maxDepth,
        min_child_weight: init.minSamples,
        subsample: init.sampleFraction,
        colsample_bytree: init.featureFraction,
        seed: init.seed,
      });
      booster.train(rows, target);
      try {
        return new GradientBoosting({
          columns: request.features.names.length,
          iterations,
          bytes: Uint8Array.from(booster.toJSON().model),
        });
      } finally {
        booster.free();
      }
    };
    if (request.validation === undefined) return fitOnce(init.iterations);

    let best: { readonly model: GradientBoosting; readonly error: number } | undefined;
    for (const count of stageCounts(init.iterations, stages)) {
      const model = fitOnce(count);
      const error = meanSquaredError(request.validation.target, await model.predict(request.validation.features));
      if (best === undefined || error < best.error) best = { model, error };
    }
    return best!.model; // there is one stage at least
  }

  async predict(features: FeatureMatrix): Promise<Float64Array> {
    checkShape(features, { columns: this.columns });
    if (features.rows === 0) return new Float64Array(0);
    const library = await loadLibrary();
    const booster = library.load({ name: "ml-xgboost", model: this.bytes, options: {} });
    try {
      return Float64Array.from(booster.predict(matrixRows(features)));
    } finally {
      booster.free();
    }
  }
}

function checkLearnable({ features, target }: FitRequest): void {
  checkShape(features, { rows: target.length });
  if (features.rows === 0) throw new MlError("ML_MODEL_BAD_SHAPE", "Cannot learn from no rows");
  const perRow = features.names.length + 1;
  if (features.rows * perRow > MAX_NUMBERS) {
    const most = Math.floor(MAX_NUMBERS / perRow);
    throw new MlError(
      "ML_MODEL_TOO_LARGE",
      `Cannot fit on ${features.rows} rows of ${features.names.length} features`,
      `take at most ${most} rows`,
    );
  }
}

interface Booster {
  train(rows: readonly (readonly number[])[], target: readonly number[]): void;
  predict(rows: readonly (readonly number[])[]): number[];
  toJSON(): { readonly model: readonly number[] };
  free(): void;
}

interface Library {
  new (options: Readonly<Record<string, string | number>>): Booster;
  load(stored: { readonly name: string; readonly model: Uint8Array; readonly options: object }): Booster;
}

/**
 * The library, loaded once. The promise lies in a closure: where this file is bundled with the flow's own code, as in a monorepo, a
 * variable of the module that changes would cost the step its worker.
 */
const loadLibrary = (() => {
  let loading: Promise<Library> | undefined;
  return (): Promise<Library> => {
    loading ??= quietRequire(createRequire(import.meta.url), "ml-xgboost");
    return loading;
  };
})();
