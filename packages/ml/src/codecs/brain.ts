/** Networks of brain.js. Training begins with random weights that no seed decides, so two trainings never give the same bytes. */
import type { ModelCodec } from "./model-codec.ts";
import { modelJson, parseModelJson } from "./model-json.ts";

interface Network {
  run(input: unknown): unknown;
  toJSON(): Readonly<Record<string, unknown>>;
  fromJSON(json: unknown): unknown;
}

type NetworkClass = new () => Network;

const PLAIN = ["NeuralNetwork", "NeuralNetworkGPU"];
const RECURRENT = ["RNN", "LSTM", "GRU", "RNNTimeStep", "LSTMTimeStep", "GRUTimeStep"];
const FILE = "model.json";
/** Predicting stops after so many characters at the latest; the library's own limit is 100. */
const MAX_PREDICTION_LENGTH = 1_000_000;

/** Probes are lists of inputs, one prediction each. */
export const brainCodec: ModelCodec<Network> = {
  id: "brain.js",
  version: 1,
  library: { package: "brain.js", range: "^1.6.1", from: import.meta.url, import: () => import("brain.js") },
  tolerance: 0,
  matches: (value) => {
    if (value === null || typeof value !== "object") return false;
    const { run, toJSON, fromJSON } = value as Network;
    return isKnown(value.constructor?.name) && [run, toJSON, fromJSON].every((method) => typeof method === "function");
  },
  save: (network) => {
    const json = { ...network.toJSON() };
    // Functions among the settings (for the log of the training, for preparing its data) are no part of the network.
    for (const key of ["trainOpts", "options"]) if (json[key] !== undefined) json[key] = withoutFunctions(json[key]);
    const settings = json.trainOpts ?? json.options ?? {};
    return {
      files: { [FILE]: modelJson(json) },
      facts: { className: network.constructor.name, parameters: scalarsOf(settings) },
    };
  },
  load: ({ files, facts }, module) => {
    if (!isKnown(facts.className)) throw new TypeError(`there is no class "${facts.className}"`);
    const json = parseModelJson(files[FILE]);
    checkSizes(json, files[FILE]!.length);
    const library = ((module as { readonly default?: unknown }).default ?? module) as Readonly<
      Record<string, unknown>
    > & {
      readonly recurrent: Readonly<Record<string, NetworkClass>>;
    };
    const Network = (
      PLAIN.includes(facts.className) ? library[facts.className] : library.recurrent[facts.className]
    ) as NetworkClass;
    const network = new Network();
    network.fromJSON(json);
    return network;
  },
  predict: (network, inputs) => (inputs as readonly unknown[]).map((input) => plain(network.run(input))),
};

function withoutFunctions(settings: unknown): unknown {
  return Object.fromEntries(Object.entries(settings as object).filter(([, value]) => typeof value !== "function"));
}

function scalarsOf(settings: unknown): Readonly<Record<string, unknown>> {
  const scalars = Object.entries(settings as object).filter(([, value]) =>
    ["number", "boolean"].includes(typeof value),
  );
  return Object.fromEntries(scalars);
}

function isKnown(name: unknown): boolean {
  return typeof name === "string" && (PLAIN.includes(name) || RECURRENT.includes(name));
}

/** The library makes matrices of the sizes that it reads before it reads their numbers: each number takes bytes of the file. */
function checkSizes(json: unknown, bytes: number): void {
  const wrong = (what: string): RangeError => new RangeError(`${what} do not fit into a file of ${bytes} bytes`);
  const visit = (value: unknown): void => {
    if (value === null || typeof value !== "object") return;
    const { rows, columns, sizes, hiddenLayers, inputSize, outputSize, inputRange, maxPredictionLength } =
      value as Readonly<Record<string, unknown>>;
    if (isSize(rows) && isSize(columns) && rows * columns > bytes) throw wrong(`${rows} rows of ${columns} columns`);
    for (const list of [sizes, hiddenLayers]) {
      // Lists of the layers' matrices have the same name elsewhere; their sizes are looked at as rows and columns.
      if (!Array.isArray(list) || list.every((item) => typeof item === "object")) continue;
      if (!list.every(isSize)) throw new TypeError("the sizes of its layers are no sizes");
      const weights = list
        .slice(1)
        .reduce((sum: number, size: number, index) => sum + size * (list[index] as number), 0);
      if (weights > bytes || list.some((size: number) => size > bytes)) throw wrong(`layers of ${list.join(", ")}`);
    }
    for (const size of [inputSize, outputSize, inputRange])
      if (size !== undefined && (!isSize(size) || size > bytes)) throw wrong(`${String(size)} inputs or outputs`);
    if (typeof maxPredictionLength === "number" && maxPredictionLength > MAX_PREDICTION_LENGTH)
      throw wrong(`predictions of ${maxPredictionLength} characters`);
    for (const item of Object.values(value)) visit(item);
  };
  visit(json);
  if (json === null || typeof json !== "object") throw new TypeError("it holds no network");
  const { sizes, type } = json as Readonly<Record<string, unknown>>;
  if (sizes === undefined && type === undefined) throw new TypeError("it holds no network");
}

function isSize(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** Outputs are typed arrays that the network uses again, or objects of them. */
function plain(output: unknown): unknown {
  if (ArrayBuffer.isView(output)) return Array.from(output as Float32Array);
  return structuredClone(output);
}
