/// <reference path="./untyped-libraries.d.ts" />
/**
 * Models of the ml.js family. Each class writes itself with `toJSON` and is read by its static `load`; what differs is the
 * package, and what goes into `predict`.
 */
import type { ModelCodec, ModelLibrary, ModelSignature } from "./model-codec.ts";
import { modelJson, parseModelJson } from "./model-json.ts";

/** What the classes of the family have in common. */
interface MljsModel {
  predict?(inputs: unknown): unknown;
  toJSON?(): unknown;
}

interface MljsClass {
  load(json: unknown): MljsModel;
}

/** Own properties of a model, of which some are known by class. */
type Fields = Readonly<Record<string, unknown>>;

interface ClassTraits {
  /** Number of features of a trained model, where it keeps it. */
  readonly features?: (model: Fields) => unknown;
  readonly output?: SignatureOutput;
  /** Inputs as `predict` takes them; default: rows as they are. */
  readonly toInputs?: (model: Fields, inputs: unknown) => unknown;
  /** What is written in place of the library's own form. */
  readonly toJSON?: (model: Fields) => unknown;
}

type SignatureOutput = "number" | "class" | "numbers";

interface MljsPackage {
  readonly package: string;
  readonly range: string;
  readonly import: () => Promise<unknown>;
  readonly classes: Readonly<Record<string, ClassTraits>>;
}

const PACKAGES: readonly MljsPackage[] = [
  {
    package: "ml-random-forest",
    range: "^2.1.0",
    import: () => import("ml-random-forest"),
    classes: {
      RandomForestRegression: { features: (model) => model.n },
      RandomForestClassifier: { features: (model) => model.n, output: "class" },
    },
  },
  {
    package: "ml-cart",
    range: "^2.1.1",
    import: () => import("ml-cart"),
    classes: { DecisionTreeRegression: {}, DecisionTreeClassifier: { output: "class" } },
  },
  {
    package: "ml-regression-multivariate-linear",
    range: "^2.0.4",
    import: () => import("ml-regression-multivariate-linear"),
    classes: {
      MultivariateLinearRegression: {
        features: (model) => model.inputs,
        output: "numbers",
        // The library's own form throws for a model that was loaded: it looks for statistics that are not kept.
        toJSON: ({ weights, inputs, outputs, intercept }) => ({
          name: "multivariateLinearRegression",
          weights,
          inputs,
          outputs,
          intercept,
        }),
      },
    },
  },
  {
    package: "ml-regression-simple-linear",
    range: "^3.0.1",
    import: () => import("ml-regression-simple-linear"),
    classes: { SimpleLinearRegression: {} },
  },
  {
    package: "ml-regression-polynomial",
    range: "^4.0.0",
    import: () => import("ml-regression-polynomial"),
    classes: { PolynomialRegression: {} },
  },
  {
    package: "ml-logistic-regression",
    range: "^2.0.0",
    import: () => import("ml-logistic-regression"),
    classes: {
      LogisticRegression: {
        features: (model) => weightsOf(model)?.columns,
        output: "class",
        // It takes matrices alone; their class comes from the model, since ml-matrix is no package of the user's.
        toInputs: (model, inputs) => new (weightsOf(model)!.constructor)(inputs),
      },
    },
  },
  {
    package: "ml-knn",
    range: "^3.0.0",
    import: () => import("ml-knn"),
    classes: { KNN: { output: "class" } },
  },
  {
    package: "ml-naivebayes",
    range: "^4.0.0",
    import: () => import("ml-naivebayes"),
    classes: { GaussianNB: { output: "class" }, MultinomialNB: { output: "class" } },
  },
  {
    package: "ml-pca",
    range: "^4.1.1",
    import: () => import("ml-pca"),
    classes: { PCA: { features: (model) => lengthOf(model.means), output: "numbers" } },
  },
  {
    package: "ml-pls",
    range: "^4.4.1",
    import: () => import("ml-pls"),
    classes: { PLS: { features: (model) => lengthOf(model.meanX), output: "numbers" } },
  },
];

/** The matrix of weights of a logistic regression. */
function weightsOf(model: Fields): Weights | undefined {
  return (model.classifiers as readonly { readonly weights: Weights | null }[])[0]?.weights ?? undefined;
}

interface Weights {
  readonly columns: number;
  readonly constructor: new (rows: unknown) => unknown;
}

function lengthOf(list: unknown): number | undefined {
  return (list as ArrayLike<unknown> | undefined)?.length;
}

/** One codec for each package, with the package's name as its id. */
export const mljsCodecs: readonly ModelCodec<MljsModel>[] = PACKAGES.map(codecOf);

const FILE = "model.json";

function codecOf({ classes, ...source }: MljsPackage): ModelCodec<MljsModel> {
  const library: ModelLibrary = { ...source, from: import.meta.url };
  const signature = (model: MljsModel): ModelSignature | undefined =>
    signatureOf(classes[classNameOf(model)] ?? {}, model as Fields);
  return {
    id: source.package,
    version: 1,
    library,
    tolerance: 0,
    matches: (value) => isMljsModel(value) && Object.hasOwn(classes, classNameOf(value)),
    save: (model) => {
      const className = classNameOf(model);
      const traits = classes[className]!;
      const told = signature(model);
      return {
        files: { [FILE]: modelJson(traits.toJSON === undefined ? model : traits.toJSON(model as Fields)) },
        facts: { className, parameters: parametersOf(model), ...(told === undefined ? {} : { signature: told }) },
      };
    },
    load: ({ files, facts }, module) => {
      if (!Object.hasOwn(classes, facts.className)) throw new TypeError(`there is no class "${facts.className}"`);
      const model = classFrom(module, facts.className).load(parseModelJson(files[FILE]));
      return model;
    },
    predict: (model, inputs) => {
      const { toInputs } = classes[classNameOf(model)] ?? {};
      return plainOutput(model.predict!(toInputs === undefined ? inputs : toInputs(model as Fields, inputs)));
    },
    signature,
    inspect: (files) => describeJson(parseModelJson(files[FILE])),
  };
}

function isMljsModel(value: unknown): value is MljsModel {
  if (value === null || typeof value !== "object") return false;
  const { predict, toJSON } = value as MljsModel;
  return typeof predict === "function" && typeof toJSON === "function";
}

function classNameOf(model: MljsModel): string {
  return model.constructor?.name ?? "";
}

/** CommonJS, compiled modules and real ones put their classes in different places. */
function classFrom(module: unknown, name: string): MljsClass {
  const outer = module as Readonly<Record<string, unknown>>;
  const inner = (outer.default ?? {}) as Readonly<Record<string, unknown>>;
  const found = outer[name] ?? inner[name] ?? inner.default ?? inner;
  if (typeof found === "function" && "load" in found) return found as unknown as MljsClass;
  throw new TypeError(`the library has no class "${name}"`);
}

/** Scalars among the model's own properties: mostly the settings that it was made with. */
function parametersOf(model: MljsModel): Readonly<Record<string, unknown>> {
  const { options } = model as { readonly options?: unknown };
  const scalars = Object.entries({ ...model, ...(typeof options === "object" ? options : {}) }).filter(([, value]) =>
    ["number", "string", "boolean"].includes(typeof value),
  );
  return Object.fromEntries(scalars);
}

function signatureOf(traits: ClassTraits, model: Fields): ModelSignature | undefined {
  const features = traits.features?.(model);
  if (typeof features !== "number") return undefined;
  const { output = "number" } = traits;
  return {
    inputs: [{ type: "number", shape: [null, features] }],
    outputs: [output === "numbers" ? { type: "number", shape: [null, null] } : { type: output, shape: [null] }],
  };
}

/** Matrices as rows. */
function plainOutput(output: unknown): unknown {
  const { to2DArray } = output as { readonly to2DArray?: () => number[][] };
  return typeof to2DArray === "function" ? to2DArray.call(output) : output;
}

/** The top of a file: names, and how much is behind each. */
function describeJson(json: unknown): unknown {
  if (json === null || typeof json !== "object") return json;
  return Object.fromEntries(
    Object.entries(json).map(([key, value]: [string, unknown]) => [
      key,
      Array.isArray(value) ? `${value.length} items` : typeof value === "object" ? "…" : value,
    ]),
  );
}
