/**
 * A random forest for regression. The trees are grown by `ml-random-forest`; what is kept and used to predict is the
 * trees alone, as plain arrays. The library's own saved form is not kept: it repeats its options in every node, and it
 * saves a forest that it has loaded in other bytes than the forest that it has grown.
 */
import { storable } from "@millrace/core";
import { checkShape, type FeatureMatrix, matrixRows } from "../features/feature-matrix.ts";
import { MlError } from "../ml-error.ts";
import { deriveSeed, seededRandom } from "../random.ts";
import { type ForestNodes, type LibraryNode, NodeList, predictByTrees } from "./forest-nodes.ts";
import { type HyperparameterRule, readHyperparameters } from "./hyperparameters.ts";
import type { FitRequest, Model } from "./model.ts";
import { DEFAULT_STAGES, meanSquaredError, stageCounts } from "./stages.ts";

/**
 * Arguments as `init.X`. A tree is grown from `maxSamples` rows drawn anew for it (with replacement), because the
 * library's search for a split takes time with the square of the number of rows: about 15 ms a tree for 256 rows.
 */
const INIT = {
  /** Number of trees. */
  iterations: { default: 30, min: 1, isInteger: true },
  maxDepth: { default: 8, min: 1, max: 64, isInteger: true },
  /** A node of at most so many rows is not split. */
  minSamples: { default: 5, min: 1, isInteger: true },
  /** Share of the columns that a tree may look at, drawn for each tree. */
  maxFeatures: { default: 0.7, min: 0.01, max: 1 },
  maxSamples: { default: 256, min: 2, isInteger: true },
  seed: { default: 0, min: 0, isInteger: true },
} as const satisfies Record<string, HyperparameterRule>;

const FIT = { stages: { default: DEFAULT_STAGES, min: 1, isInteger: true } } as const satisfies Record<
  string,
  HyperparameterRule
>;

/**
 * A fitted random forest: nodes of all trees, one after the other, in four parallel arrays.
 *
 * @example const forest = await RandomForest.fit({ features, target, init: { iterations: 20, seed: 7 }, fit: {} });
 */
@storable({ name: "millrace.RandomForest", version: 1 })
export class RandomForest implements Model, ForestNodes {
  /** Number of features that it has learnt from. */
  readonly columns: number;
  readonly roots: Int32Array;
  readonly splitColumns: Int32Array;
  readonly values: Float64Array;
  readonly left: Int32Array;
  readonly right: Int32Array;

  constructor(trees: ForestNodes & { readonly columns: number }) {
    this.columns = trees.columns;
    this.roots = trees.roots;
    this.splitColumns = trees.splitColumns;
    this.values = trees.values;
    this.left = trees.left;
    this.right = trees.right;
  }

  /**
   * Grows a forest. With validation rows, the best of `fit.stages` (4) numbers of trees is kept.
   *
   * @throws MlError ML_MODEL_BAD_HYPERPARAMETERS, ML_MODEL_BAD_SHAPE
   */
  static async fit(request: FitRequest): Promise<RandomForest> {
    const init = readHyperparameters("RandomForest init", request.init, INIT);
    const { stages } = readHyperparameters("RandomForest fit", request.fit, FIT);
    checkShape(request.features, { rows: request.target.length });
    if (request.features.rows === 0) throw new MlError("ML_MODEL_BAD_SHAPE", "Cannot learn from no rows");

    const { RandomForestRegression } = await loadLibrary();
    const rows = matrixRows(request.features);
    const columns = request.features.names.length;
    const grower = new NodeList();
    for (let tree = 0; tree < init.iterations; tree++) {
      const random = seededRandom(deriveSeed(init.seed, tree));
      const drawn = Array.from({ length: Math.min(init.maxSamples, rows.length) }, () =>
        random.integer(0, rows.length),
      );
      const forest = new RandomForestRegression({
        nEstimators: 1,
        seed: random.integer(0, 0x7fffffff),
        noOOB: true,
        useSampleBagging: false, // done above: the library would take the first rows, not random ones
        replacement: false,
        maxFeatures: featureShare(columns, init.maxFeatures),
        treeOptions: { maxDepth: init.maxDepth, minNumSamples: init.minSamples },
      });
      forest.train(
        drawn.map((row) => rows[row]!),
        drawn.map((row) => request.target[row]!),
      );
      grower.addTree(forest.estimators[0]!.root, forest.indexes[0]!);
    }
    const forest = new RandomForest({ columns, ...grower.arrays() });
    return request.validation === undefined ? forest : bestPrefix(forest, request.validation, stages);
  }

  get iterations(): number {
    return this.roots.length;
  }

  async predict(features: FeatureMatrix): Promise<Float64Array> {
    checkShape(features, { columns: this.columns });
    return predictByTrees(this, features, [this.iterations])[0]!;
  }
}

/** Forests of fewer trees are the first trees of the whole one, so all stages are judged in one pass. */
function bestPrefix(
  forest: RandomForest,
  validation: NonNullable<FitRequest["validation"]>,
  stages: number,
): RandomForest {
  checkShape(validation.features, { columns: forest.columns, rows: validation.target.length });
  const counts = stageCounts(forest.iterations, stages);
  const errors = predictByTrees(forest, validation.features, counts).map((predicted) =>
    meanSquaredError(validation.target, predicted),
  );
  const best = counts[errors.indexOf(Math.min(...errors))] ?? forest.iterations;
  const end = forest.roots[best] ?? forest.values.length;
  return new RandomForest({
    columns: forest.columns,
    roots: forest.roots.slice(0, best),
    splitColumns: forest.splitColumns.slice(0, end),
    values: forest.values.slice(0, end),
    left: forest.left.slice(0, end),
    right: forest.right.slice(0, end),
  });
}

/** The library reads 1 as "all", so the wanted number of columns is given as a share that rounds down to it. */
function featureShare(columns: number, share: number): number {
  const wanted = Math.max(1, Math.round(columns * share));
  return Math.min(1, (wanted + 0.5) / columns);
}

/** What this file uses of the library, whose own declarations do not compile. */
interface LibraryForest {
  readonly estimators: readonly { readonly root: LibraryNode }[];
  readonly indexes: readonly (readonly number[])[];
  train(rows: readonly (readonly number[])[], target: readonly number[]): void;
  predict(rows: readonly (readonly number[])[]): number[];
}

interface Library {
  readonly RandomForestRegression: new (options: Readonly<Record<string, unknown>>) => LibraryForest;
}

async function loadLibrary(): Promise<Library> {
  return (await import("ml-random-forest")) as unknown as Library;
}
