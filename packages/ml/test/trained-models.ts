/**
 * One model of each library, trained for real on the same small data, with the inputs that it predicts from. Flows of the
 * tests use this file as well, so what is compared across processes is trained by the same lines.
 */
import { createRequire } from "node:module";
import { figure, type StoredFile } from "@millrace/core";
import type { CodecUnderTest } from "@millrace/ml/testing";
import { plotScores, SafeTensors } from "../src/index.ts";

/** 80 rows of three features, a target and a class of each, from a fixed sequence. */
export const rows: readonly (readonly number[])[] = fixedRows(80);
export const targets: readonly number[] = rows.map(([a, b, c]) => 2 * a! - b! + c! ** 2);
export const classes: readonly number[] = rows.map(([a, b]) => (a! > b! * 2 ? 1 : 0));

/** One grey pixel. */
const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==",
  "base64",
);
const kinds = classes.map((one) => (one === 1 ? "steep" : "flat"));
const few = rows.slice(0, 6).map((row) => [...row]);
const fewNumbers = few.map(([a]) => a!);
const require = createRequire(import.meta.url);

/** A model of a library, and what the checks for codecs want to know of it. */
export type TrainedModel = CodecUnderTest;

/** By a name of its own; `codec` is the id of the codec. */
export const trainedModels: Readonly<Record<string, CodecUnderTest>> = {
  randomForestRegression: {
    codec: "ml-random-forest",
    inputs: few,
    train: async () => {
      const { RandomForestRegression } = await import("ml-random-forest");
      return trained(new RandomForestRegression({ nEstimators: 8, seed: 3, noOOB: true }), targets);
    },
  },
  randomForestClassifier: {
    codec: "ml-random-forest",
    inputs: few,
    train: async () => {
      const { RandomForestClassifier } = await import("ml-random-forest");
      return trained(new RandomForestClassifier({ nEstimators: 8, seed: 3, noOOB: true }), classes);
    },
  },
  decisionTreeRegression: {
    codec: "ml-cart",
    inputs: few,
    train: async () => trained(new (await import("ml-cart")).DecisionTreeRegression({}), targets),
  },
  decisionTreeClassifier: {
    codec: "ml-cart",
    inputs: few,
    train: async () => trained(new (await import("ml-cart")).DecisionTreeClassifier({}), classes),
  },
  multivariateLinear: {
    codec: "ml-regression-multivariate-linear",
    inputs: few,
    train: () => {
      const MultivariateLinearRegression = require("ml-regression-multivariate-linear");
      return new MultivariateLinearRegression(
        rows,
        targets.map((target) => [target]),
      );
    },
  },
  simpleLinear: {
    codec: "ml-regression-simple-linear",
    inputs: fewNumbers,
    train: async () => {
      const { SimpleLinearRegression } = await import("ml-regression-simple-linear");
      return new SimpleLinearRegression(
        rows.map(([a]) => a!),
        [...targets],
      );
    },
  },
  polynomial: {
    codec: "ml-regression-polynomial",
    inputs: fewNumbers,
    train: async () => {
      const { PolynomialRegression } = await import("ml-regression-polynomial");
      return new PolynomialRegression(
        rows.map(([a]) => a!),
        [...targets],
        3,
      );
    },
  },
  logistic: {
    codec: "ml-logistic-regression",
    inputs: few,
    train: () => {
      const LogisticRegression = require("ml-logistic-regression");
      const { Matrix } = require("ml-matrix");
      const model = new LogisticRegression({ numSteps: 200, learningRate: 5e-3 });
      model.train(new Matrix(rows), Matrix.columnVector(classes));
      return model;
    },
  },
  nearestNeighbours: {
    codec: "ml-knn",
    inputs: few,
    train: () => {
      const KNN = require("ml-knn");
      return new KNN(rows, classes, { k: 3 });
    },
  },
  gaussianBayes: {
    codec: "ml-naivebayes",
    inputs: few,
    train: async () => trained(new (await import("ml-naivebayes")).GaussianNB(), classes),
  },
  multinomialBayes: {
    codec: "ml-naivebayes",
    inputs: few,
    train: async () => trained(new (await import("ml-naivebayes")).MultinomialNB(), classes),
  },
  principalComponents: {
    codec: "ml-pca",
    inputs: few,
    train: async () => new (await import("ml-pca")).PCA(rows.map((row) => [...row])),
  },
  partialLeastSquares: {
    codec: "ml-pls",
    inputs: few,
    train: async () => {
      const model = new (await import("ml-pls")).PLS({ latentVectors: 2, tolerance: 1e-5 }, {});
      model.train(
        rows.map((row) => [...row]),
        targets.map((target) => [target]),
      );
      return model;
    },
  },
  xgboost: {
    codec: "ml-xgboost",
    inputs: few,
    damagedCopies: 200,
    train: async () => {
      const XGBoost = await require("ml-xgboost");
      return trained(new XGBoost({ objective: "reg:linear", max_depth: 3, iterations: 6, seed: 1 }), targets);
    },
  },
  xgboostClasses: {
    codec: "ml-xgboost",
    inputs: few,
    train: async () => {
      const XGBoost = await require("ml-xgboost");
      return trained(new XGBoost({ objective: "multi:softprob", num_class: 2, iterations: 4, seed: 1 }), classes);
    },
  },
  supportVectorRegression: {
    codec: "libsvm-js",
    inputs: few,
    damagedCopies: 200,
    train: async () => {
      const SVM = await require("libsvm-js");
      return trained(
        new SVM({ type: SVM.SVM_TYPES.EPSILON_SVR, kernel: SVM.KERNEL_TYPES.RBF, gamma: 0.1, quiet: true }),
        targets,
      );
    },
  },
  supportVectorClasses: {
    codec: "libsvm-js",
    inputs: few,
    train: async () => {
      const SVM = await require("libsvm-js");
      return trained(new SVM({ type: SVM.SVM_TYPES.C_SVC, kernel: SVM.KERNEL_TYPES.LINEAR, quiet: true }), classes);
    },
  },
  neuralNetwork: {
    codec: "brain.js",
    inputs: few.map(unitRow),
    isByteStable: false,
    train: () => {
      const { NeuralNetwork } = require("brain.js");
      const network = new NeuralNetwork({ hiddenLayers: [4] });
      const examples = rows.map((row, index) => ({ input: unitRow(row), output: [classes[index]] }));
      return withFixedChance(network, () => network.train(examples, { iterations: 50 }));
    },
  },
  recurrentNetwork: {
    codec: "brain.js",
    inputs: ["mil", "m"],
    isByteStable: false,
    train: () => {
      const network = new (require("brain.js").recurrent.LSTM)({ hiddenLayers: [4] });
      return withFixedChance(network, () =>
        network.train([{ input: "mil", output: "l" }], { iterations: 10, log: () => {} }),
      );
    },
  },
  sequential: {
    codec: "tfjs-layers",
    inputs: few,
    train: async () => {
      const { core, layers, dense } = await tensorFlow();
      const model = layers.sequential();
      model.add(dense({ units: 5, activation: "relu", inputShape: [3] }));
      model.add(layers.layers.dropout({ rate: 0.1, seed: 3 }));
      model.add(dense({ units: 1 }));
      return fitted(core, model);
    },
  },
  functional: {
    codec: "tfjs-layers",
    inputs: few,
    train: async () => {
      const { core, layers, dense } = await tensorFlow();
      const input = layers.input({ shape: [3] });
      const one = dense({ units: 3, activation: "tanh" }).apply(input);
      const other = dense({ units: 3, name: "named_by_hand" }).apply(input);
      const sum = layers.layers.add().apply([one, other] as import("@tensorflow/tfjs-layers").SymbolicTensor[]);
      const output = dense({ units: 1 }).apply(sum) as import("@tensorflow/tfjs-layers").SymbolicTensor;
      return fitted(core, layers.model({ inputs: input, outputs: output }));
    },
  },
  tensors: {
    codec: "safetensors",
    train: () =>
      new SafeTensors(
        {
          bytes: { type: "U8", shape: [3], data: Uint8Array.of(1, 2, 3) },
          weights: { type: "F32", shape: [80, 3], data: Float32Array.from(rows.flat()) },
          counts: { type: "I64", shape: [], data: BigInt64Array.of(-5n) },
        },
        { made: "by hand" },
      ),
  },
  plot: {
    codec: "figure",
    contentOf: (file) => (file as StoredFile).bytesSync(),
    // The plots end with a line break, without which they are whole as well.
    train: () => figure(plotScores({ contenders: [{ name: "forest", scores: [0.8, 0.9] }], metric: "R²" }).trim()),
  },
  picture: {
    codec: "figure",
    contentOf: (file) => (file as StoredFile).bytesSync(),
    train: () => figure(PNG, { name: "dot.png", alt: "one grey dot" }),
  },
  arrowTable: {
    codec: "arrow",
    contentOf: (table) => (table as import("apache-arrow").Table).toArray().map((row) => row.toJSON()),
    train: async () =>
      (await import("apache-arrow")).tableFromArrays({ target: Float64Array.from(targets), kind: kinds }),
  },
  arrowColumns: {
    codec: "arrow-columns",
    isChosen: true,
    train: () => ({ target: Float64Array.from(targets), kind: kinds }),
  },
  parquetColumns: {
    codec: "parquet",
    isChosen: true,
    train: () => ({ target: Float64Array.from(targets), kind: kinds }),
  },
};

/** brain.js takes no seed. What is damaged in its files should nevertheless be the same each time. */
function withFixedChance<N>(network: N, train: () => unknown): N {
  const { random } = Math;
  let state = 7;
  Math.random = () => {
    state = (state * 48271) % 0x7fffffff;
    return state / 0x7fffffff;
  };
  try {
    train();
    return network;
  } finally {
    Math.random = random;
  }
}

async function tensorFlow() {
  const [core, layers] = await Promise.all([import("@tensorflow/tfjs-core"), import("@tensorflow/tfjs-layers")]);
  await import("@tensorflow/tfjs-backend-cpu");
  await core.ready();
  const dense = (options: Parameters<typeof layers.layers.dense>[0]) =>
    layers.layers.dense({ kernelInitializer: layers.initializers.glorotUniform({ seed: 1 }), ...options });
  return { core, layers, dense };
}

async function fitted<M extends import("@tensorflow/tfjs-layers").LayersModel>(
  core: typeof import("@tensorflow/tfjs-core"),
  model: M,
): Promise<M> {
  model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
  const [features, wanted] = [core.tensor2d(rows.map(unitRow)), core.tensor2d(targets.map((target) => [target / 20]))];
  await model.fit(features, wanted, { epochs: 2, shuffle: false, verbose: 0 });
  core.dispose([features, wanted]);
  return model;
}

function unitRow([a, b, c]: readonly number[]): number[] {
  return [a! / 10, b! / 5, c!];
}

interface Trainable {
  train(rows: unknown, targets: unknown): unknown;
}

function trained<T extends Trainable>(model: T, wanted: readonly number[]): T {
  model.train(
    rows.map((row) => [...row]),
    [...wanted],
  );
  return model;
}

function fixedRows(count: number): number[][] {
  let state = 1;
  const next = (): number => {
    state = (state * 48271) % 0x7fffffff;
    return state / 0x7fffffff;
  };
  return Array.from({ length: count }, () => [next() * 10, next() * 5, next()]);
}
