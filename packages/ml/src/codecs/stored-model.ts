/**
 * A model of whatever library as data: its files, what is known of it, and predictions by which it is known again. It is
 * what a step keeps; the live object is made of it when it is needed, because many libraries load asynchronously and fields
 * of a flow are read at once. Invariant: the stored value never changes by loading, so a model that was passed on has the
 * same digest, whatever the library would write for the object that it has loaded.
 */
import { storable } from "@millrace/core";
import { modelCodecById } from "./codec-registry.ts";
import type { LibraryVersion } from "./library.ts";
import type { ModelFacts, ModelSignature } from "./model-codec.ts";
import { inspectStored, openStored } from "./open-stored.ts";

/** A property that no model has. */
declare const LIVE: unique symbol;

/** Inputs with the predictions that belong to them. */
export interface ModelProbe {
  /** What goes into the model, in the form that its codec takes: mostly rows of numbers. */
  readonly inputs: unknown;
  /** What came out when it was stored. */
  readonly expected: unknown;
  /** Largest difference that is let pass, as a share of a value, and absolutely below 1. */
  readonly tolerance: number;
}

/** A file as it is kept. */
export interface ModelFile {
  readonly bytes: Uint8Array;
  /** Of the bytes, in hexadecimal digits. */
  readonly sha256: string;
}

/** What `inspect` tells. */
export interface ModelInspection {
  readonly codec: string;
  readonly library: LibraryVersion | undefined;
  readonly className: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly signature: ModelSignature | undefined;
  readonly files: readonly { readonly name: string; readonly sizeBytes: number; readonly sha256: string }[];
  /** Whether predictions are kept with it, and how far they may be off. */
  readonly probe: { readonly tolerance: number } | undefined;
  /** What the codec reads from the files; undefined for one that looks at none. */
  readonly content: unknown;
}

/** How to load a model. */
export interface LoadOptions {
  /** Try a version of the library that promises no compatibility with the one that saved it. Default false. */
  readonly anyVersion?: boolean;
  /** Compare predictions with those that are kept. Default true. */
  readonly checkProbe?: boolean;
}

/** All that is kept of a model. */
export interface StoredModelParts {
  readonly codec: string;
  readonly codecVersion: number;
  readonly library: LibraryVersion | undefined;
  readonly facts: ModelFacts;
  readonly files: Readonly<Record<string, ModelFile>>;
  readonly probe: ModelProbe | undefined;
}

/**
 * A stored model. Made by `storeModel`; `T` is the class of the live object.
 *
 * @example
 * forest!: StoredModel<RandomForestRegression>;
 * …
 * this.forest = await storeModel(forest, { probe: { inputs: rows.slice(0, 5) } }); // in the step that trains
 * const forest = await this.forest.load(); // in a later step, or in another flow
 */
@storable({ name: "millrace.StoredModel", version: 1 })
export class StoredModel<T = unknown> {
  /** Id of the codec that saved it. */
  readonly codec: string;
  readonly codecVersion: number;
  /** The library that saved it, in the version that was installed. */
  readonly library: LibraryVersion | undefined;
  /** Class, settings and signature, as far as they are known. */
  readonly facts: ModelFacts;
  /** The files by name, as the library reads them: `writeFileSync("model.onnx", model.files["model.onnx"].bytes)`. */
  readonly files: Readonly<Record<string, ModelFile>>;
  readonly probe: ModelProbe | undefined;
  /** For the compiler alone: without it a stored forest would pass for a stored network. */
  declare readonly [LIVE]?: T;

  constructor(parts: StoredModelParts) {
    this.codec = parts.codec;
    this.codecVersion = parts.codecVersion;
    this.library = parts.library;
    this.facts = parts.facts;
    this.files = parts.files;
    this.probe = parts.probe;
  }

  /** Name of the class in its library. */
  get className(): string {
    return this.facts.className;
  }

  /**
   * The live object, made anew with each call. What changes it does not change what is stored.
   *
   * Checked are the digests of the files, the version of the installed library, the signature, and the predictions that are kept.
   * Without those, another version of the library that promises to be compatible is told of by a process warning.
   *
   * @throws MlError ML_LIBRARY_MISSING with the command that installs it, ML_LIBRARY_BROKEN, ML_LIBRARY_VERSION,
   * ML_CODEC_UNKNOWN, ML_MODEL_DAMAGED, ML_MODEL_CHANGED
   */
  async load(options: LoadOptions = {}): Promise<T> {
    return (await openStored(this, options)) as T;
  }

  /** Gives up the memory of a loaded model that nothing collects (XGBoost, libsvm, TensorFlow.js, ONNX); nothing for others. */
  free(model: T): void {
    modelCodecById(this.codec).free?.(model);
  }

  /**
   * What is known of the model, without loading its library.
   *
   * @throws MlError ML_CODEC_UNKNOWN, ML_MODEL_DAMAGED
   */
  async inspect(): Promise<ModelInspection> {
    return inspectStored(this);
  }
}
