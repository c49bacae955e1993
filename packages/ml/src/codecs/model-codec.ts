/**
 * How the objects of a library become files and back. A codec is asked whether a value is its own and what its files are
 * without the library being loaded; only loading needs it. Codecs are found by id, so an id is chosen once.
 */

/** Where a library comes from. */
export interface ModelLibrary<M = unknown> {
  /** Its name on npm: its version is kept with each model. */
  readonly package: string;
  /** Versions that were tried, as npm writes them: `^2.1.0`. It stands in the command that installs the library. */
  readonly range: string;
  /** Further packages that loading needs, with their ranges: `{ "@tensorflow/tfjs-core": "^4.22.0" }`. */
  readonly alsoNeeds?: Readonly<Record<string, string>>;
  /** Packages of which any does as well as it. */
  readonly instead?: readonly string[];
  /**
   * Whether it reads a format that others write, so that it does not matter which version of it was there: then no version is kept
   * with the model. Default false.
   */
  readonly isFormat?: boolean;
  /** `import.meta.url` of the file that imports it: from there its version is looked up. */
  readonly from: string;
  /** Imports it: called on first use, never while a codec is registered. */
  readonly import: () => Promise<M>;
}

/** Files by name. Names are plain (`model.json`): no folders. */
export type ModelFiles = Readonly<Record<string, Uint8Array>>;

/** What goes into a model or comes out of it. */
export interface SignaturePart {
  /** Name of a column or a tensor. */
  readonly name?: string;
  /** What the library or you call it: `number`, `category`, `float32`. */
  readonly type: string;
  /** Sizes of the dimensions; `null` for one that may be of any size, such as the number of rows. */
  readonly shape?: readonly (number | null)[];
  /** Of a column of categories: those that the model has learnt. */
  readonly categories?: readonly string[];
}

/** What a model takes and gives, in order. */
export interface ModelSignature {
  readonly inputs: readonly SignaturePart[];
  readonly outputs: readonly SignaturePart[];
}

/** What is known of a model besides its files. All of it is data and is kept with the model. */
export interface ModelFacts {
  /** Name of its class in the library. */
  readonly className: string;
  /** Settings that it was made with, as far as the library tells. */
  readonly parameters?: Readonly<Record<string, unknown>>;
  /** Left out where the library does not tell. */
  readonly signature?: ModelSignature;
}

/** What saving gives and loading takes. */
export interface SavedModel {
  readonly files: ModelFiles;
  readonly facts: ModelFacts;
}

/**
 * Stores objects of a library. `T` is what loading gives, `M` the module of the library, `S` what can be saved (mostly the same as `T`).
 *
 * @see the page about codecs in the guide for one of your own, and `modelCodecChecks` for what every codec must pass
 */
export interface ModelCodec<T = unknown, M = unknown, S = T> {
  /** Kept with each model, so chosen once: the name of the library, or one of yours such as `acme.forest`. */
  readonly id: string;
  /** Raise it when the files change their form; whole number from 1. Older files must stay loadable. */
  readonly version: number;
  /** Left out by a codec that needs none. */
  readonly library?: ModelLibrary<M>;
  /** How far predictions of a loaded model may be from those before, as a share of a value, and absolutely below 1; 0: to the last bit. */
  readonly tolerance: number;
  /** Whether a value is this codec's own. The library is not loaded for it, and it must not throw. */
  readonly matches: (value: unknown) => boolean;
  /** The files of a model. Equal models should give equal bytes: no clocks, no generated names, no order of hash tables. */
  readonly save: (value: S) => SavedModel | Promise<SavedModel>;
  /**
   * The live object of files, which are private copies. Bytes may be anybody's: what is wrong with them must be thrown,
   * and sizes that they name must be checked against the bytes that are there.
   *
   * @param version the version of this codec that saved them
   */
  readonly load: (saved: SavedModel, library: M, version: number) => T | Promise<T>;
  /** Predictions as plain data: what probes are compared by. */
  readonly predict?: (model: T, inputs: unknown) => unknown;
  /** Whether a value that can be saved is a live object already; default: it is. Bytes of a file are none. */
  readonly isLive?: (value: S) => boolean;
  /** What the loaded model takes and gives; compared with what was kept. */
  readonly signature?: (model: T) => ModelSignature | undefined;
  /** What can be said of the files without the library. */
  readonly inspect?: (files: ModelFiles) => unknown;
  /** Gives up memory that nothing collects, as that of WebAssembly. */
  readonly free?: (model: T) => void;
}
