/**
 * Layers models of TensorFlow.js, as the two files that its own `save` writes: `model.json` and `weights.bin`. The optimizer and
 * its state are not kept. Probes are nested lists of numbers, or a list of those for a model of several inputs.
 */
import type { ModelCodec, ModelSignature } from "./model-codec.ts";
import { modelJson, parseModelJson } from "./model-json.ts";
import { checkGraph } from "./tfjs-graph.ts";
import { canonicalNames, renamed } from "./tfjs-names.ts";

type Layers = typeof import("@tensorflow/tfjs-layers");
type LayersModel = import("@tensorflow/tfjs-layers").LayersModel;
type Tensor = import("@tensorflow/tfjs-core").Tensor;
type Artifacts = import("@tensorflow/tfjs-core").io.ModelArtifacts;
type WeightSpec = NonNullable<Artifacts["weightSpecs"]>[number];

const TOPOLOGY = "model.json";
const WEIGHTS = "weights.bin";
const WIDTHS: Readonly<Record<string, number>> = { float32: 4, int32: 4, bool: 1, uint8: 1, complex64: 8 };
/** Keys of a topology by which layers decide how much memory they take. */
const SIZE_KEYS = ["units", "filters", "output_dim", "input_dim", "n"];

/** Loaded models hold memory that nothing collects: `stored.free(model)`. */
export const tfjsCodec: ModelCodec<LayersModel, Layers> = {
  id: "tfjs-layers",
  version: 1,
  library: {
    package: "@tensorflow/tfjs-layers",
    range: "^4.22.0",
    alsoNeeds: { "@tensorflow/tfjs-core": "^4.22.0", "@tensorflow/tfjs-backend-cpu": "^4.22.0" },
    from: import.meta.url,
    import: loadTensorFlow,
  },
  // Backends add up in different orders.
  tolerance: 1e-5,
  matches: (value) => {
    if (value === null || typeof value !== "object") return false;
    const { save, predict, layers } = value as Readonly<Record<string, unknown>>;
    return typeof save === "function" && typeof predict === "function" && Array.isArray(layers) && "weights" in value;
  },
  save: async (model) => {
    const artifacts = await artifactsOf(model);
    const names = canonicalNames(artifacts.modelTopology);
    const { weightData, weightSpecs = [], modelTopology, format, generatedBy } = artifacts;
    const manifest = [{ paths: [WEIGHTS], weights: renamed(weightSpecs, names) }];
    const json = { format, generatedBy, modelTopology: renamed(modelTopology, names), weightsManifest: manifest };
    return {
      files: { [TOPOLOGY]: modelJson(json), [WEIGHTS]: joined(weightData) },
      facts: { className: model.getClassName(), signature: signatureOf(model) },
    };
  },
  load: async ({ files }, layers) => {
    const { topology, specs, weights } = readFiles(files[TOPOLOGY], files[WEIGHTS]);
    const artifacts: Artifacts = { modelTopology: topology, weightSpecs: specs, weightData: weights };
    return layers.loadLayersModel({ load: async () => artifacts });
  },
  predict: async (model, inputs) => {
    const core = await import("@tensorflow/tfjs-core");
    const given = model.inputs.length === 1 ? [inputs] : (inputs as readonly unknown[]);
    const tensors = given.map((input, index) =>
      core.tensor(input as number[], undefined, (model.inputs[index]?.dtype ?? "float32") as "float32"),
    );
    const outputs = model.predict(tensors.length === 1 ? tensors[0]! : tensors) as Tensor | Tensor[];
    const values = await Promise.all([outputs].flat().map((output) => output.array()));
    core.dispose([tensors, outputs]);
    return values.length === 1 ? values[0] : values;
  },
  signature: signatureOf,
  inspect: (files) => {
    const { topology, specs, weights } = readFiles(files[TOPOLOGY], files[WEIGHTS]);
    return {
      topology,
      weights: specs.map(({ name, shape, dtype }) => ({ name, shape, dtype })),
      bytes: weights.byteLength,
    };
  },
  free: (model) => {
    model.dispose();
  },
};

/** With a back-end: that of the program if it has one, the one in JavaScript otherwise. */
async function loadTensorFlow(): Promise<Layers> {
  const core = await import("@tensorflow/tfjs-core");
  if (core.engine().backendNames().length === 0) await import("@tensorflow/tfjs-backend-cpu");
  await core.ready();
  return import("@tensorflow/tfjs-layers");
}

async function artifactsOf(model: LayersModel): Promise<Artifacts> {
  let kept: Artifacts | undefined;
  await model.save({
    save: async (artifacts) => {
      kept = artifacts;
      // The library wants to be told when; nothing of it is kept.
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" } };
    },
  });
  return kept!;
}

function joined(data: Artifacts["weightData"]): Uint8Array {
  return Buffer.concat([data ?? []].flat().map((part) => new Uint8Array(part)));
}

/** Dimensions without names: those of inputs and outputs are made up. */
function signatureOf(model: LayersModel): ModelSignature {
  const parts = (tensors: LayersModel["inputs"]) =>
    tensors.map(({ dtype, shape }) => ({ type: dtype as string, shape: [...shape] }));
  return { inputs: parts(model.inputs), outputs: parts(model.outputs) };
}

interface TensorFlowFiles {
  readonly topology: object;
  readonly specs: WeightSpec[];
  readonly weights: ArrayBuffer;
}

/** Both files, checked against each other: the library takes memory for what they claim before it compares. */
function readFiles(json: Uint8Array | undefined, weights: Uint8Array | undefined): TensorFlowFiles {
  const { modelTopology: topology, weightsManifest: manifest } = parseModelJson(json) as {
    readonly modelTopology: unknown;
    readonly weightsManifest: readonly { readonly weights: WeightSpec[] }[];
  };
  if (weights === undefined) throw new TypeError(`the file "${WEIGHTS}" is missing`);
  if (topology === null || typeof topology !== "object") throw new TypeError("it holds no topology");
  const specs = manifest.flatMap((group) => group.weights);
  let bytes = 0;
  let count = 0;
  for (const { name, shape, dtype } of specs) {
    const width = Object.hasOwn(WIDTHS, dtype) ? WIDTHS[dtype] : undefined;
    if (width === undefined || !shape.every((size) => Number.isSafeInteger(size) && size >= 0))
      throw new TypeError(`the weights "${name}" have no known type or no shape`);
    const size = shape.reduce((product, next) => product * next, 1);
    count += size;
    bytes += size * width;
  }
  if (bytes !== weights.byteLength)
    throw new RangeError(`it counts ${bytes} bytes of weights and has ${weights.byteLength}`);
  checkSizes(topology, count);
  checkGraph(topology);
  return { topology, specs, weights: weights.slice().buffer };
}

/** A layer of so many units has at least as many weights. */
function checkSizes(value: unknown, weights: number): void {
  if (value === null || typeof value !== "object") return;
  for (const [key, item] of Object.entries(value)) {
    if (SIZE_KEYS.includes(key) && typeof item === "number" && !(item <= Math.max(weights, 10_000)))
      throw new RangeError(`${item} ${key} are more than ${weights} weights can be for`);
    checkSizes(item, weights);
  }
}
