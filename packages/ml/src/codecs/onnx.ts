/**
 * ONNX: files that other programs write, run by `onnxruntime-web` (WebAssembly) or, where it is installed, by `onnxruntime-node`.
 * What is stored is the file as it is. Storing needs neither; looking inside needs `onnx-proto` alone.
 */
import { loadLibrary } from "./library.ts";
import type { ModelCodec, ModelLibrary, ModelSignature } from "./model-codec.ts";

/** Numbers with their shape, as they go into a session and come out of it. */
export interface OnnxTensor {
  /** As the runtime calls it; default `float32`. */
  readonly type?: string;
  readonly shape: readonly number[];
  readonly data: ArrayLike<number> | ArrayLike<bigint> | ArrayLike<string>;
}

/** A loaded ONNX model. */
export interface OnnxModel {
  readonly signature: ModelSignature | undefined;
  /** Runs it: tensors by the names of the inputs give tensors by the names of the outputs. */
  run(inputs: Readonly<Record<string, OnnxTensor>>): Promise<Readonly<Record<string, Required<OnnxTensor>>>>;
  /** Gives up its memory, which nothing collects. */
  release(): Promise<void>;
}

interface Runtime {
  readonly InferenceSession: { create(bytes: Uint8Array): Promise<Session> };
  readonly Tensor: new (type: string, data: unknown, shape: readonly number[]) => RuntimeTensor;
}

interface RuntimeTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: ArrayLike<number>;
}

interface Session {
  readonly inputMetadata?: readonly TensorMetadata[];
  readonly outputMetadata?: readonly TensorMetadata[];
  run(feeds: Readonly<Record<string, RuntimeTensor>>): Promise<Readonly<Record<string, RuntimeTensor>>>;
  release(): Promise<void>;
}

interface TensorMetadata {
  readonly name: string;
  readonly isTensor: boolean;
  readonly type?: string;
  readonly shape?: readonly (number | string)[];
}

interface OnnxProto {
  readonly onnx: { readonly ModelProto: { decode(bytes: Uint8Array): Readonly<Record<string, unknown>> } };
}

const FILE = "model.onnx";

const proto: ModelLibrary<{ readonly default: OnnxProto }> = {
  package: "onnx-proto",
  range: "^8.0.1",
  from: import.meta.url,
  import: () => import("onnx-proto") as unknown as Promise<{ readonly default: OnnxProto }>,
};

/**
 * ONNX files. Give the bytes and this codec: `storeModel(bytes, { codec: onnxCodec })`. Probes are tensors by name.
 *
 * @example
 * const stored = await storeModel(readFileSync("model.onnx"), { codec: onnxCodec });
 * const model = await stored.load();
 * const { y } = await model.run({ x: { shape: [1, 2], data: [1, 2] } });
 */
export const onnxCodec: ModelCodec<OnnxModel, Runtime, Uint8Array> = {
  id: "onnx",
  version: 1,
  library: {
    package: "onnxruntime-web",
    range: "^1.30.0",
    instead: ["onnxruntime-node"],
    isFormat: true,
    from: import.meta.url,
    import: loadRuntime,
  },
  // The two runtimes add up in different orders.
  tolerance: 1e-5,
  matches: () => false,
  isLive: () => false,
  save: (bytes) => {
    if (!(bytes instanceof Uint8Array) || bytes.length === 0)
      throw new TypeError("an ONNX model is given as its bytes");
    return { files: { [FILE]: bytes }, facts: { className: "OnnxModel" } };
  },
  load: async ({ files }, runtime) => {
    const bytes = files[FILE];
    if (bytes === undefined || bytes.length === 0) throw new TypeError(`the file "${FILE}" is missing or empty`);
    return onnxModel(await runtime.InferenceSession.create(bytes), runtime);
  },
  predict: (model, inputs) => model.run(inputs as Readonly<Record<string, OnnxTensor>>),
  signature: (model) => model.signature,
  inspect: async (files) => {
    const { default: library } = await loadLibrary(proto, "Cannot look into the ONNX model");
    return describe(library.onnx.ModelProto.decode(files[FILE] ?? new Uint8Array(0)));
  },
  free: (model) => void model.release(),
};

async function loadRuntime(): Promise<Runtime> {
  // Names in variables: neither is here when this package is built, and compilers would look for them.
  const names = ["onnxruntime-node", "onnxruntime-web"];
  let failure: unknown;
  for (const name of names) {
    try {
      const module = (await import(name)) as { readonly default?: Runtime } & Runtime;
      return module.InferenceSession === undefined ? module.default! : module;
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

function onnxModel(session: Session, { Tensor }: Runtime): OnnxModel {
  const inputs = partsOf(session.inputMetadata);
  const outputs = partsOf(session.outputMetadata);
  return {
    signature: inputs === undefined || outputs === undefined ? undefined : { inputs, outputs },
    async run(given) {
      const feeds = Object.entries(given).map(([name, { type = "float32", shape, data }]) => [
        name,
        new Tensor(type, typedData(type, data), shape),
      ]);
      const results = await session.run(Object.fromEntries(feeds) as Readonly<Record<string, RuntimeTensor>>);
      return Object.fromEntries(
        Object.entries(results).map(([name, { type, dims, data }]) => [
          name,
          { type, shape: [...dims], data: Array.from(data) },
        ]),
      );
    },
    release: () => session.release(),
  };
}

const ARRAYS: Readonly<Record<string, { from(data: ArrayLike<never>): unknown }>> = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
  uint8: Uint8Array,
  int8: Int8Array,
  bool: Uint8Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
};

function typedData(type: string, data: OnnxTensor["data"]): unknown {
  return ARRAYS[type]?.from(data as ArrayLike<never>) ?? Array.from(data as ArrayLike<string>);
}

function partsOf(metadata: readonly TensorMetadata[] | undefined): ModelSignature["inputs"] | undefined {
  return metadata?.map(({ name, type = "unknown", shape }) => ({
    name,
    type,
    ...(shape === undefined
      ? {}
      : { shape: shape.map((size) => (typeof size === "number" && size >= 0 ? size : null)) }),
  }));
}

/** Names, types and counts; the weights stay where they are. */
function describe(model: Readonly<Record<string, unknown>>): unknown {
  const { graph = {}, opsetImport = [] } = model as {
    readonly graph?: Readonly<Record<string, readonly Named[] | undefined>>;
    readonly opsetImport?: readonly { readonly domain?: string; readonly version?: unknown }[];
  };
  const namesOf = (key: string): readonly (string | undefined)[] => (graph[key] ?? []).map(({ name }) => name);
  const counts: Record<string, number> = {};
  for (const { opType = "?" } of graph.node ?? []) counts[opType] = (counts[opType] ?? 0) + 1;
  return {
    producer: model.producerName,
    opsets: opsetImport.map(({ domain, version }) => ({ domain: domain ?? "", version: Number(version) })),
    inputs: namesOf("input"),
    outputs: namesOf("output"),
    weights: namesOf("initializer"),
    operators: counts,
  };
}

interface Named {
  readonly name?: string;
  readonly opType?: string;
}
