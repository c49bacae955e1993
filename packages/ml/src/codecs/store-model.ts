import { MlError } from "../ml-error.ts";
import { type AnyModelCodec, modelCodecById, modelCodecOf } from "./codec-registry.ts";
import { type LibraryVersion, libraryVersion, loadLibrary } from "./library.ts";
import type { ModelCodec, ModelSignature, SavedModel } from "./model-codec.ts";
import { checkProbe, digestOf, loadFiles, predictions } from "./open-stored.ts";
import { type ModelProbe, StoredModel } from "./stored-model.ts";

/** How to store a model. */
export interface StoreModelOptions {
  /** What the model takes and gives; kept with it, and filled in by the library where it tells. */
  readonly signature?: ModelSignature;
  /**
   * Inputs whose predictions are kept, and compared each time the model is loaded: a few rows are enough. They are compared once
   * while storing, so that a model that would not come back is refused here.
   */
  readonly probe?: {
    readonly inputs: unknown;
    /** Largest difference, as a share of a value and absolutely below 1; default: what the codec promises. */
    readonly tolerance?: number;
  };
}

/**
 * Makes a model of a library storable: its files, its settings, the library's version, and predictions to know it again by.
 *
 * @param value a trained model of a library that a codec knows
 * @param options.codec a codec or its id; default: the one that knows the value
 * @throws MlError ML_CODEC_UNKNOWN, ML_CODEC_AMBIGUOUS, ML_LIBRARY_MISSING, ML_MODEL_NOT_STORABLE, ML_MODEL_CHANGED when a
 * loaded copy would predict something else, ML_MODEL_NO_PREDICTIONS for a probe that the codec cannot make
 * @example this.forest = await storeModel(forest, { probe: { inputs: rows.slice(0, 5) } });
 */
export async function storeModel<T, S>(
  value: S,
  // biome-ignore lint/suspicious/noExplicitAny: which module the codec loads is its own affair
  options: StoreModelOptions & { readonly codec: ModelCodec<T, any, S> },
): Promise<StoredModel<T>>;
export async function storeModel<T>(
  value: T,
  options?: StoreModelOptions & { readonly codec?: string },
): Promise<StoredModel<T>>;
export async function storeModel(
  value: unknown,
  options: StoreModelOptions & { readonly codec?: AnyModelCodec | string } = {},
): Promise<StoredModel<never>> {
  const codec = chosenCodec(value, options.codec);
  const action = "Cannot store the model";
  const library = versionToKeep(codec, action);
  const saved = await save(codec, value, action);
  const signature = options.signature ?? saved.facts.signature;
  const { signature: _, ...facts } = saved.facts;
  const probe =
    options.probe === undefined
      ? undefined
      : await makeProbe(codec, saved, {
          inputs: options.probe.inputs,
          tolerance: options.probe.tolerance ?? codec.tolerance,
          live: value,
        });
  return new StoredModel({
    codec: codec.id,
    codecVersion: codec.version,
    library,
    facts: { ...facts, ...(signature === undefined ? {} : { signature }) },
    files: Object.fromEntries(
      Object.entries(saved.files).map(([name, bytes]) => [name, { bytes, sha256: digestOf(bytes) }]),
    ),
    probe,
  });
}

/** Asking also tells that a library is missing before anything is done; a format can be saved without the library that reads it. */
function versionToKeep(codec: AnyModelCodec, action: string): LibraryVersion | undefined {
  if (codec.library === undefined || codec.isLive?.(undefined) === false) return undefined;
  const version = libraryVersion(codec.library, action);
  return codec.library.isFormat === true ? undefined : version;
}

function chosenCodec(value: unknown, codec: AnyModelCodec | string | undefined): AnyModelCodec {
  if (typeof codec === "object") return modelCodecById(codec.id); // Whoever reads it will ask the registry, too.
  return codec === undefined ? modelCodecOf(value) : modelCodecById(codec);
}

async function save(codec: AnyModelCodec, value: unknown, action: string): Promise<SavedModel> {
  try {
    const { files, facts } = await codec.save(value);
    // Memory of WebAssembly and views of larger buffers would change, or be stored, under the model.
    const copies = Object.entries(files).map(([name, bytes]) => [name, Uint8Array.from(bytes)] as const);
    return { files: Object.fromEntries(copies), facts };
  } catch (cause) {
    if (cause instanceof MlError) throw cause;
    throw new MlError(
      "ML_MODEL_NOT_STORABLE",
      `${action}: the codec "${codec.id}" cannot save it: ${cause instanceof Error ? cause.message : String(cause)}`,
      "train it before storing it",
      { cause },
    );
  }
}

interface ProbeRequest {
  readonly inputs: unknown;
  readonly tolerance: number;
  readonly live: unknown;
}

/** Predictions of the model as it is, and proof that a loaded copy makes them too. */
async function makeProbe(codec: AnyModelCodec, saved: SavedModel, request: ProbeRequest): Promise<ModelProbe> {
  const { inputs, tolerance, live } = request;
  const action = `Cannot store the ${saved.facts.className}`;
  const library = codec.library === undefined ? undefined : await loadLibrary(codec.library, action);
  const copy = await loadFiles(codec, saved, library, codec.version);
  try {
    const expected = await predictions(codec, codec.isLive?.(live) === false ? copy : live, inputs);
    const probe = { inputs, expected, tolerance };
    await checkProbe(codec, copy, probe, `${action}: a loaded copy differs`);
    return probe;
  } finally {
    codec.free?.(copy);
  }
}
